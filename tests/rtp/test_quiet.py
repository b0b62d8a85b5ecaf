from __future__ import annotations

import warnings

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

from telephony.rtp.quiet import is_quiet


@pytest.mark.parametrize(
    ("encoding", "encode"), [("pcmu", audioop.lin2ulaw), ("pcma", audioop.lin2alaw)]
)
def test_the_limit_is_near_minus_37_dbfs(encoding: str, encode) -> None:  # type: ignore[no-untyped-def]
    def constant(level: int) -> bytes:
        return encode(level.to_bytes(2, "little", signed=True) * 160, 2)

    for sign in (1, -1):
        assert is_quiet(constant(sign * 300), encoding)
        assert not is_quiet(constant(sign * 700), encoding)


def test_one_loud_sample_is_enough() -> None:
    assert not is_quiet(b"\xff" * 159 + b"\x80", "pcmu")
    assert is_quiet(b"\xff" * 160, "pcmu")
    assert is_quiet(b"\xd5" * 160, "pcma")


def test_nothing_is_known_of_other_encodings() -> None:
    assert not is_quiet(b"\x00" * 160, "l16")
    assert not is_quiet(b"", "pcmu")


def test_a_silent_sender_of_opus() -> None:
    assert is_quiet(b"\x48", "opus")
    assert not is_quiet(b"\x48" * 80, "opus")
