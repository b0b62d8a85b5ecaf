from __future__ import annotations

import pytest

from telephony.sdp.description import parse
from telephony.sdp.refusal import NotAcceptable
from telephony.sdp.remote import offered_host, remote_of


def sdp(connection: str, media: str = "m=audio 4000 RTP/AVP 0") -> bytes:
    return f"v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\n{connection}t=0 0\n{media}\n".encode()


def remote(connection: str, local: str = "203.0.113.1") -> tuple[str, int] | None:
    description = parse(sdp(connection))
    return remote_of(description, description.media[0], local)


def test_addresses_are_written_as_sockets_write_them() -> None:
    assert remote("c=IN IP4 192.0.2.1\n") == ("192.0.2.1", 4000)
    assert remote("c=IN IP6 2001:DB8:0::0001\n", "2001:db8::2") == ("2001:db8::1", 4000)


def test_the_unspecified_address_is_nowhere() -> None:
    assert remote("c=IN IP4 0.0.0.0\n") is None
    assert remote("c=IN IP6 ::\n") is None


@pytest.mark.parametrize(
    ("connection", "code"),
    [
        ("", 399),
        ("c=IN IP4 example.com\n", 301),
        ("c=IN IP6 2001:db8::1\n", 300),
        ("c=IN IP4 224.0.0.1\n", 301),
        ("c=IN IP4 255.255.255.255\n", 301),
    ],
)
def test_what_cannot_be_reached(connection: str, code: int) -> None:
    with pytest.raises(NotAcceptable) as caught:
        remote(connection)
    assert caught.value.warning_code == code


def test_the_host_of_an_offer() -> None:
    assert offered_host(sdp("c=IN IP4 192.0.2.1\n")) == "192.0.2.1"
    assert offered_host(sdp("c=IN IP6 ::\n")) == "::"
    assert offered_host(sdp("", "m=audio 0 RTP/AVP 0\nm=audio 1 RTP/AVP 0\nc=IN IP6 ::1")) == "::1"
    assert offered_host(sdp("c=IN IP4 example.com\n")) is None
    assert offered_host(sdp("c=IN IP4 192.0.2.1\n", "m=video 9 RTP/AVP 0")) is None
    assert offered_host(b"") is None
