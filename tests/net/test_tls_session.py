from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from telephony.net.tls import TlsConfig, TlsContexts
from telephony.net.tls_session import TlsSession
from telephony.sip.flow import Flow
from telephony.sip.framing import StreamFramer
from tests.support.certificates import Authority, Issued

_FLOW = Flow("tls", ("192.0.2.1", 5061), ("192.0.2.9", 0), server_name="bot.example")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def server(authority: Authority) -> TlsContexts:
    return TlsContexts(authority.config(authority.issue("bot", dns=["bot.example"])))


@pytest.fixture(scope="module")
def client(authority: Authority) -> TlsContexts:
    return TlsContexts(authority.config())


def shake_hands(near: TlsSession, far: TlsSession) -> None:
    near.start()
    for _ in range(4):
        for one, other in ((near, far), (far, near)):
            if data := one.bytes_to_send():
                assert other.receive(data) == b""


def test_messages_both_ways(server: TlsContexts, client: TlsContexts) -> None:
    near, far = client.client_session(_FLOW), server.server_session()
    near.write(b"written ")
    near.write(b"early")
    assert near.waiting_bytes == 13
    near.start()
    text = b""
    for _ in range(3):
        text += far.receive(near.bytes_to_send() or b"")
        near.receive(far.bytes_to_send() or b"")
    assert text == b"written early"
    assert near.established
    assert far.established
    assert near.waiting_bytes == 0
    far.write(b"x" * 100_000)
    assert near.receive(far.bytes_to_send()) == b"x" * 100_000


def test_close_is_heard(server: TlsContexts, client: TlsContexts) -> None:
    near, far = client.client_session(_FLOW), server.server_session()
    shake_hands(near, far)
    near.write(b"last words")
    near.close()
    assert far.receive(near.bytes_to_send()) == b"last words"
    assert far.closed
    assert far.failure == ""
    assert far.receive(b"more") == b""
    far.close()
    near.receive(far.bytes_to_send())
    assert near.failure == ""


def test_another_name_is_refused_before_anything_is_sent(
    server: TlsContexts, client: TlsContexts
) -> None:
    flow = Flow("tls", _FLOW.remote, _FLOW.local, server_name="other.example")
    near, far = client.client_session(flow), server.server_session()
    near.write(b"for other.example only")
    near.start()
    for _ in range(3):
        assert far.receive(near.bytes_to_send()) == b""
        near.receive(far.bytes_to_send())
    assert near.failure == "certificate is not for the name other.example"
    assert not near.established


@pytest.mark.parametrize("expired", [False, True])
def test_a_certificate_that_can_not_be_verified(
    server: TlsContexts, authority: Authority, tmp_path: Path, expired: bool
) -> None:
    signer = authority if expired else Authority(tmp_path, "a stranger")
    issued = signer.issue("bad", dns=["bot.example"], expired=expired)
    far = TlsContexts(signer.config(issued)).server_session()
    near = TlsContexts(authority.config()).client_session(_FLOW)
    shake_hands(near, far)
    why = "refused: certificate has expired" if expired else "not signed by an authority of tls.ca"
    assert near.failure == f"certificate is {why}"
    assert ("expired" in near.failure) is expired
    assert "unknown ca" in far.failure or "expired" in far.failure
    near = TlsContexts(TlsConfig(verify_server=False)).client_session(_FLOW)
    far = TlsContexts(signer.config(issued)).server_session()
    shake_hands(near, far)
    assert near.established


def test_clients_that_show_a_certificate(authority: Authority, tmp_path: Path) -> None:
    trunk = authority.issue("trunk", uris=["sip:trunk.example"], dns=["x.example"])
    stranger = Authority(tmp_path, "a stranger")
    strange = stranger.issue("strange", dns=["trunk.example"])
    bot = authority.issue("bot2", dns=["bot.example"])
    for verify, config, expected in (
        ("required", authority.config(trunk), True),
        ("required", authority.config(), False),
        ("optional", authority.config(), True),
        ("optional", authority.config(trunk), True),
        ("optional", TlsConfig(**_pair(strange), ca=authority.path), False),
        ("no", TlsConfig(**_pair(strange), ca=authority.path), True),
    ):
        far = TlsContexts(authority.config(bot, verify)).server_session()  # type: ignore[arg-type]
        shake_hands(TlsContexts(config).client_session(_FLOW), far)
        assert far.established is expected, (verify, far.failure)
        shown = config.certificate == trunk.certificate
        assert bool(far.certificate) is (expected and shown)


def _pair(issued: Issued) -> dict[str, Path]:
    return {"certificate": issued.certificate, "private_key": issued.private_key}


def test_old_versions_are_refused(server: TlsContexts) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname = False
    old.verify_mode = ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    near, far = TlsSession(old, server_side=False), server.server_session()
    shake_hands(near, far)
    assert far.failure == "unsupported protocol"
    assert not far.plain


@pytest.mark.parametrize(
    "junk", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"OPTIONS sip:a SIP/2.0\r\n\r\n", bytes(20)]
)
def test_what_is_not_tls_is_known_as_such(server: TlsContexts, junk: bytes) -> None:
    far = server.server_session()
    assert far.receive(junk) == b""
    assert far.failure
    assert far.plain
    far.write(b"x")
    assert far.receive(junk) == b""


_MESSAGES = (
    b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 4\r\n\r\nbody",
    b"BYE sip:a SIP/2.0\r\nl: 0\r\n\r\n",
)
_TEXT = b"\r\n\r\n".join(_MESSAGES)


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    writes=st.lists(st.integers(1, len(_TEXT)), max_size=4),
    cuts=st.lists(st.integers(1, 400), max_size=40),
)
def test_any_split_of_records_and_of_octets_gives_the_same_messages(
    server: TlsContexts, client: TlsContexts, writes: list[int], cuts: list[int]
) -> None:
    near, far = client.client_session(_FLOW), server.server_session()
    shake_hands(near, far)
    start = 0
    for end in sorted({*writes, len(_TEXT)}):
        near.write(_TEXT[start:end])
        start = end
    wire = near.bytes_to_send()
    framer, messages, at = StreamFramer(), list[bytes](), 0
    for cut in [*cuts, len(wire)]:
        if chunk := wire[at : at + cut]:
            messages += framer.receive(far.receive(chunk))
        at += cut
    assert messages == list(_MESSAGES)
    assert framer.bytes_to_send() == b"\r\n"


@hypothesis_settings(max_examples=150, deadline=None)
@given(junk=st.binary(min_size=1, max_size=300), tls=st.booleans())
def test_no_junk_raises(server: TlsContexts, junk: bytes, tls: bool) -> None:
    far = server.server_session()
    assert far.receive((b"\x16\x03\x01" if tls else b"") + junk) == b""
    assert not far.established
    far.close()
    far.bytes_to_send()
