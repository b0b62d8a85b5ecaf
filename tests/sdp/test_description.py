from __future__ import annotations

from pathlib import Path

import pytest

from telephony.sdp.description import Connection, RtpMap, SdpParseError, parse

FIXTURES = Path(__file__).parent.parent / "fixtures" / "sdp"
FILES = sorted(FIXTURES.glob("*.sdp"))


def fixture(name: str) -> bytes:
    return (FIXTURES / name).read_bytes()


def one(*media_lines: str) -> bytes:
    lines = ["v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0", *media_lines]
    return "".join(f"{line}\r\n" for line in lines).encode()


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_every_line_of_a_real_description_survives(file: Path) -> None:
    data = file.read_bytes()
    text = str(parse(data))
    assert sorted(text.splitlines()) == sorted(data.decode().splitlines())
    assert str(parse(text.encode())) == text


def test_a_softphone_offer() -> None:
    description = parse(fixture("softphone_offer.sdp"))
    assert description.origin is not None
    assert description.origin.username == "alice"
    assert description.name == "A softphone"
    assert description.connection is None
    audio, video, application = description.media
    assert (audio.kind, audio.port, audio.protocol) == ("audio", 4014, "RTP/AVP")
    assert audio.formats == ("98", "97", "9", "0", "96", "127")
    assert audio.rtpmap[127] == RtpMap("telephone-event", 8000)
    assert audio.fmtp == {"127": "0-15"}
    assert audio.connection == Connection("IN", "IP4", "198.51.100.4")
    assert audio.attribute("mid") == "audio"
    assert video.kind == "video"
    assert application.formats == ("*",)


def test_line_ends_may_be_lf_and_lines_in_any_order() -> None:
    data = b"s=x\nt=0 0\nc=IN IP4 192.0.2.1\no=- 1 1 IN IP4 192.0.2.1\nv=0\nm=audio 2 RTP/AVP 0\n"
    description = parse(data)
    assert description.name == "x"
    assert description.media[0].port == 2


def test_o_s_and_t_may_be_missing() -> None:
    description = parse(b"v=0\r\nm=audio 4000 RTP/AVP 0\r\n")
    assert description.origin is None
    assert description.name == "-"


@pytest.mark.parametrize("direction", ["sendrecv", "sendonly", "recvonly", "inactive"])
def test_the_direction_of_the_media_comes_before_that_of_the_session(direction: str) -> None:
    other = "inactive" if direction == "sendrecv" else "sendrecv"
    description = parse(one(f"a={other}", "m=audio 1 RTP/AVP 0", f"a={direction}"))
    assert description.direction_of(description.media[0]) == direction
    description = parse(one(f"a={direction}", "m=audio 1 RTP/AVP 0"))
    assert description.direction_of(description.media[0]) == direction


def test_the_direction_is_sendrecv_unless_said() -> None:
    description = parse(one("m=audio 1 RTP/AVP 0", "a=sendonly:x"))
    assert description.direction_of(description.media[0]) == "sendrecv"


def test_the_connection_of_the_media_comes_first_and_its_ttl_is_no_address() -> None:
    description = parse(one("m=audio 1 RTP/AVP 0", "c=IN IP4 224.2.1.1/127/3", "m=audio 1 X 0"))
    first = description.connection_of(description.media[0])
    assert first is not None
    assert (first.address, first.suffix) == ("224.2.1.1", "/127/3")
    assert description.connection_of(description.media[1]) == description.connection


@pytest.mark.parametrize(
    ("value", "ptime"),
    [("20", 20), ("20.5", 20.5), ("x", None), ("", None), ("-20", None), ("²", None)],
)
def test_ptime(value: str, ptime: float | None) -> None:
    media = parse(one("m=audio 1 RTP/AVP 0", f"a=ptime:{value}", "a=maxptime:60")).media[0]
    assert media.ptime == ptime
    assert media.maxptime == 60


@pytest.mark.parametrize(
    ("value", "entry"),
    [
        ("96 PCMU/8000", {96: RtpMap("pcmu", 8000)}),
        ("96 pcmU/8000/1", {96: RtpMap("pcmu", 8000)}),
        ("96  L16/44100/2", {96: RtpMap("l16", 44100, 2)}),
        ("x PCMU/8000", {}),
        ("96 PCMU", {}),
        ("96 PCMU/8k", {}),
        ("96", {}),
        ("", {}),
        ("96 /8000", {}),
        ("96 a/1/2/3", {}),
        ("٩ PCMU/8000", {}),
    ],
)
def test_rtpmap(value: str, entry: dict[int, RtpMap]) -> None:
    assert parse(one("m=audio 1 RTP/AVP 96", f"a=rtpmap:{value}")).media[0].rtpmap == entry


def test_a_port_count_is_kept() -> None:
    description = parse(one("m=audio 49170/2 RTP/AVP 0"))
    assert description.media[0].port_count == 2
    assert "m=audio 49170/2 RTP/AVP 0\r\n" in str(description)


def test_bytes_that_are_not_utf8_survive() -> None:
    data = one("m=audio 1 RTP/AVP 0").replace(b"s=-", b"s=\xe9t\xe9")
    assert bytes(parse(data)) == data


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "v=0"),
        (b"hello", "form"),
        (b"v=1\r\n", "v=0"),
        (b"v=0\r\n=x\r\n", "form"),
        (b"v=0\r\nab=x\r\n", "form"),
        (b"v=0\r\nm=audio\r\n", "m="),
        (b"v=0\r\nm=audio x RTP/AVP 0\r\n", "port"),
        (b"v=0\r\nm=audio 65536 RTP/AVP 0\r\n", "port"),
        (b"v=0\r\nm=audio -1 RTP/AVP 0\r\n", "port"),
        (b"v=0\r\nm=audio 1/x RTP/AVP 0\r\n", "count"),
        (b"v=0\r\nc=IN IP4\r\n", "c="),
        (b"v=0\r\no=- 1\r\n", "o="),
        (b"v=0\r\ns=a\0b\r\n", "NUL"),
        (b"v=0\r\ns=a\rb\r\n", "CR"),
        (b"v=0\r\n" + b"a=x\r\n" * 600, "lines"),
        (b"v=0\r\n" + b"m=audio 1 X 0\r\n" * 33, "media"),
        (b"v=0\r\n" + b"a=" + b"x" * 17_000, "larger"),
    ],
)
def test_what_is_not_a_description(data: bytes, reason: str) -> None:
    with pytest.raises(SdpParseError, match=reason):
        parse(data)
