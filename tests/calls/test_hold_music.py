from __future__ import annotations

import pytest

from telephony.calls.hold_music import HoldMusic, MusicLoop


def played(music: HoldMusic, frames: int) -> bytes:
    return b"".join(music.next_frame() for _ in range(frames))


def test_the_beginning_once_and_the_loop_on_and_on() -> None:
    music = HoldMusic(MusicLoop(b"abcde", b"123456789"), 4)
    assert played(music, 9) == (b"abcde" + b"123456789" * 4)[:36]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8])
def test_loops_of_any_length_have_no_hole(size: int) -> None:
    loop = bytes(range(size))
    music = HoldMusic(MusicLoop(b"", loop), 4)
    assert played(music, 20) == (loop * 80)[:80]


def test_whoever_waits_next_hears_it_from_the_beginning() -> None:
    loop = MusicLoop(b"ab", b"cdef")
    assert played(HoldMusic(loop, 2), 3) == played(HoldMusic(loop, 2), 3) == b"abcdef"
