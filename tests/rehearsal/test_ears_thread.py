"""Ears in a thread."""

from __future__ import annotations

import threading

import pytest

from telephony.audio.format import L16_8K
from telephony.rehearsal.ears import Ears
from telephony.rehearsal.ears_thread import EarsThread
from telephony.rehearsal.prompt_library import shipped_prompts
from telephony.rehearsal.utterance import resampled


async def test_ears_are_made_once_and_recognise_in_their_thread() -> None:
    made_in: list[str] = []
    prompt = shipped_prompts().spoken_by("caller")[0]

    def make_ears() -> Ears:
        made_in.append(threading.current_thread().name)
        return Ears([prompt])

    ears = EarsThread(make_ears)
    try:
        heard = [await ears.listen(resampled(prompt, L16_8K)) for _ in range(2)]
        silence = await ears.listen(bytes(1600))
    finally:
        ears.close()
    assert [recognised.text for recognised in heard] == [prompt.text] * 2
    assert silence.text is None
    assert len(made_in) == 1
    assert made_in[0].startswith("ears")


async def test_closed_ears_hear_nothing() -> None:
    ears = EarsThread(lambda: Ears([]))
    ears.close()
    ears.close()
    with pytest.raises(RuntimeError):
        await ears.listen(b"")
