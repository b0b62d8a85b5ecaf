from __future__ import annotations

import os

import pytest

from tests.support.pjsip_stack import Bot

# isort: split
import pjsua2 as pj

from telephony.stacks.pjsip.frame_bytes import (
    FrameWriter,
    octets_are_plain,
    read_any,
    read_plain,
)

assert Bot


@pytest.mark.parametrize("size", [0, 1, 160, 320, 640])
def test_frames_come_out_as_they_went_in(size: int) -> None:
    octets = os.urandom(size)
    frame = pj.MediaFrame()
    frame.buf = pj.ByteVector(octets)
    assert octets_are_plain()
    assert read_plain(frame.buf) == read_any(frame.buf) == octets


@pytest.mark.parametrize("plain", [True, False])
def test_a_frame_of_another_size_is_written_whole(plain: bool) -> None:
    writer = FrameWriter(320, plain)
    for size in (320, 160, 0, 640, 320):
        octets = os.urandom(size)
        frame = pj.MediaFrame()
        frame.buf = writer.vector(octets)
        assert bytes(frame.buf) == octets
