from __future__ import annotations

from telephony.rehearsal.network import Network, Path, shipped_profile


def fates(path: Path) -> list[int]:
    return [len(path.admit(172, number * 0.02)) for number in range(500)]


def test_each_way_has_fates_of_its_own() -> None:
    network = Network(shipped_profile("bursty-loss"), 3)
    assert fates(network.outbound) != fates(network.inbound)


def test_a_seed_gives_the_same_network_again() -> None:
    networks = [Network(shipped_profile("bursty-loss"), seed) for seed in (3, 3, 4)]
    first, again, other = (fates(network.inbound) for network in networks)
    assert first == again != other


def test_one_way_may_be_another_network() -> None:
    network = Network(shipped_profile("clean"), 0, shipped_profile("bursty-loss"))
    assert set(fates(network.outbound)) == {1}
    assert 0 in fates(network.inbound)
