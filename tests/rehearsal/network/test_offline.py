from __future__ import annotations

from telephony.rehearsal.network import Path, arrivals, shipped_profile
from telephony.rtp.jitter import JitterBuffer
from tests.rtp.simulation import packet, run


def test_a_clean_path_delivers_everything_in_order() -> None:
    came = arrivals(Path(shipped_profile("clean"), "0"), 50)
    assert [arrival.number for arrival in came] == list(range(50))
    assert came[10].at_s == 10 * 0.02 + 0.005


def test_reordered_doubled_and_lost_packets_are_in_what_comes() -> None:
    path = Path(shipped_profile("voip-vpn"), "0")
    numbers = [arrival.number for arrival in arrivals(path, 2000)]
    stats = path.stats
    assert numbers != sorted(numbers)
    assert len(numbers) == 2000 - stats.lost + stats.duplicated
    assert len(set(numbers)) == 2000 - stats.lost


def test_a_jitter_buffer_is_fed_without_sockets() -> None:
    path = Path(shipped_profile("mobile-bad"), "0")
    buffer: JitterBuffer = run(
        [(arrival.at_s, packet(arrival.number)) for arrival in arrivals(path, 1000)], 21.0
    ).buffer
    assert buffer.stats.received == 1000 - path.stats.lost
    assert abs(buffer.stats.lost - buffer.stats.late - path.stats.lost) <= 2
