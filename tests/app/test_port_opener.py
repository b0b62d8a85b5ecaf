from __future__ import annotations

import pytest

from telephony.app.port_opener import CannotListen, PortOpener
from telephony.net.listen import PortInUse


class Machine:
    """Listens on every port but those that are taken."""

    def __init__(self, *taken: int) -> None:
        self.taken = taken
        self.asked: list[int] = []

    async def listen(self, port: int) -> int:
        self.asked.append(port)
        if port in self.taken:
            raise PortInUse("SIP", "127.0.0.1", port)
        return port or 40000


async def test_the_port_that_is_wanted_is_opened() -> None:
    opener = PortOpener(next_free_port=True)
    assert await opener.open("SIP", ("127.0.0.1", 5060), Machine().listen) == 5060
    assert await opener.open("SIP", ("127.0.0.1", 0), Machine().listen) == 40000
    assert opener.replaced == []


async def test_a_taken_port_is_replaced_by_the_next_pair_where_that_is_allowed() -> None:
    opener, machine = PortOpener(next_free_port=True), Machine(5060, 5062)
    assert await opener.open("SIP", ("127.0.0.1", 5060), machine.listen) == 5064
    assert machine.asked == [5060, 5062, 5064]
    assert opener.replaced == [("SIP", 5060, 5064)]


async def test_elsewhere_a_taken_port_is_a_fault() -> None:
    with pytest.raises(PortInUse):
        await PortOpener().open("SIP", ("127.0.0.1", 5060), Machine(5060).listen)


async def test_another_reason_is_named() -> None:
    async def listen(port: int) -> int:
        raise OSError(99, "Cannot assign requested address")

    with pytest.raises(CannotListen, match=r"HTTP on 192\.0\.2\.7 port 80: cannot assign"):
        await PortOpener().open("HTTP", ("192.0.2.7", 80), listen)
