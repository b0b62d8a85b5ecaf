from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from telephony.net.stun_message import (
    BindingAnswer,
    binding_request,
    is_stun,
    read_binding_answer,
)
from tests.support.stun_server import attribute, mapped, message

_ID = bytes(range(12))
_HERE = ("203.0.113.5", 40_000)

# RFC 5769 section 2.2: a sample response, by which others check theirs.
_SAMPLE = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147"
    "e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
)
_SAMPLE_IPV6 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a147"
    "0113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004"
    "c8fb0b4c"
)


def test_a_request_is_a_header() -> None:
    request = binding_request(_ID)
    assert request == bytes.fromhex("000100002112a442") + _ID
    assert is_stun(request)
    assert read_binding_answer(request) is None


def test_the_samples_of_rfc_5769() -> None:
    transaction_id = bytes.fromhex("b7e7a701bc34d686fa87dfae")
    expected = BindingAnswer(transaction_id, ("192.0.2.1", 32853))
    assert read_binding_answer(_SAMPLE) == expected
    address = "2001:db8:1234:5678:11:2233:4455:6677"
    assert read_binding_answer(_SAMPLE_IPV6) == BindingAnswer(transaction_id, (address, 32853))


def test_the_old_attribute_is_second_choice() -> None:
    plain = mapped(("192.0.2.1", 1), _ID, plain=True)
    assert read_binding_answer(message(0x0101, _ID, plain)) == BindingAnswer(_ID, ("192.0.2.1", 1))
    both = plain + mapped(_HERE, _ID)
    assert read_binding_answer(message(0x0101, _ID, both)) == BindingAnswer(_ID, _HERE)


def test_an_error() -> None:
    error = message(0x0111, _ID, attribute(9, bytes([0, 0, 4, 20]) + b"what"))
    assert read_binding_answer(error) == BindingAnswer(_ID, None, 420)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        message(0x0101, _ID),
        message(0x0111, _ID),
        message(0x0111, _ID, attribute(9, b"\0\0\0\1")),
        message(0x0001, _ID, mapped(_HERE, _ID)),
        message(0x0101, _ID, mapped(_HERE, _ID))[:-4],
        message(0x0101, _ID, mapped(_HERE, _ID)) + bytes(4),
        # Something that has to be understood, and is not (section 6.3.3).
        message(0x0101, _ID, attribute(0x7FFF, b"") + mapped(_HERE, _ID)),
        message(0x0101, _ID, mapped(("203.0.113.5", 0), _ID)),
        message(0x0101, _ID, attribute(0x0020, b"\0\3\0\1abcd")),
        message(0x0101, _ID, attribute(0x0020, b"\0\1\0\1abc")),
        mapped(_HERE, _ID) + _ID,
        b"OPTIONS sip:a SIP/2.0\r\n\r\n",
    ],
)
def test_what_is_no_answer(data: bytes) -> None:
    assert read_binding_answer(data) is None


def test_sip_is_not_stun() -> None:
    assert not is_stun(b"OPTIONS sip:a SIP/2.0\r\n\r\n")
    assert not is_stun(b"\r\n\r\n")
    assert not is_stun(bytes(20))


@hypothesis_settings(max_examples=300)
@given(st.binary(max_size=80), st.sampled_from([0x0101, 0x0111]))
def test_no_octets_raise(attributes: bytes, kind: int) -> None:
    read_binding_answer(attributes)
    read_binding_answer(message(kind, _ID, attributes))
    answer = read_binding_answer(message(kind, _ID, attributes + bytes(-len(attributes) % 4)))
    assert answer is None or answer.transaction_id == _ID


@given(at=st.integers(0, 31), value=st.integers(0, 255))
def test_any_octet_may_be_wrong(at: int, value: int) -> None:
    data = bytearray(message(0x0101, _ID, mapped(_HERE, _ID)))
    data[at] = value
    read_binding_answer(bytes(data))
    read_binding_answer(bytes(data[:at]))
