from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support.pjsip_stack import pjsip

# isort: split
from telephony.net.listen import PortInUse, bind_tcp
from telephony.net.tls import TlsConfig
from telephony.stacks.pjsip.transports import free_port, set_up_tls


async def test_a_port_that_is_taken_is_found_out_before_pjsip_fails() -> None:
    async with pjsip(kinds=("udp",)) as bot:
        with pytest.raises(PortInUse):
            await bot.stack.listen(("udp",), "127.0.0.1", bot.ports["udp"])
        with pytest.raises(OSError, match="assign"):
            await bot.stack.listen(("udp",), "192.0.2.1", 0)
        port = await bot.stack.listen(("udp", "tcp"), "127.0.0.1", 0)
        bound = bot.stack.transports.bound
        assert ("127.0.0.1", port) in bound["udp"]
        assert bound["tcp"] == [("127.0.0.1", port)]
        assert bot.stack.transports.id_of("udp", ("127.0.0.1", port)) is not None
        assert bot.stack.transports.id_of("tls", ("127.0.0.1", port)) is None


def test_any_port_is_one_that_is_free_for_all_transports() -> None:
    with bind_tcp(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse):
            free_port(("udp", "tcp"), "127.0.0.1", port)
        assert free_port(("udp", "tcp"), "127.0.0.1", 0) != port


@pytest.mark.parametrize(
    ("verify", "asks", "requires"),
    [("no", False, False), ("optional", True, False), ("required", True, True)],
)
def test_certificates_go_to_pjsip_as_files(verify: str, asks: bool, requires: bool) -> None:
    made = SimpleNamespace()
    config = TlsConfig(certificate=Path("/c.pem"), private_key=Path("/k.pem"), ca=Path("/ca.pem"))
    set_up_tls(made, config)
    assert (made.certFile, made.privKeyFile, made.CaListFile) == ("/c.pem", "/k.pem", "/ca.pem")
    set_up_tls(made, TlsConfig(verify_client=verify))  # type: ignore[arg-type]
    assert (made.verifyClient, made.requireClientCert) == (asks, requires)
    assert made.certFile == ""
