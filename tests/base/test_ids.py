from telephony.base.ids import Ids


def test_a_seed_repeats_its_draws() -> None:
    one, two = Ids.seeded(7), Ids.seeded(7)
    assert [one.token(), one.uint16(), one.uint32()] == [two.token(), two.uint16(), two.uint32()]


def test_draws_differ_from_each_other() -> None:
    ids = Ids.seeded(1)
    assert len({ids.token() for _ in range(1000)}) == 1000


def test_a_token_has_two_digits_a_byte() -> None:
    assert len(Ids.seeded(1).token(40)) == 80
