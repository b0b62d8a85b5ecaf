"""Recordings of calls with a softphone that is not ours, read by programs that are not ours."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from telephony.audio.wav import read_wav, write_wav
from tests.support.baresip import baresip
from tests.support.peers import require_program
from tests.system.bot import PROMPTS, Bot, run_command, running_bot
from tests.system.listening import Samples, likeness, read_channels, speech_ms

pytestmark = pytest.mark.system

KEY = bytes(range(32)).hex()

DIALPLAN = """\
contexts:
  main:
    - name: announced
      when: {called: announced}
      do:
        - record: {format: wav, announcement: announcement.wav}
        - play: announcement.wav
        - hangup
    - name: paused
      when: {called: paused}
      do: [answer, record, {play: announcement.wav}, record: pause, {play: announcement.wav},
           record: resume, {play: tone:busy/us/1}, hangup]
    - name: not recorded
      when: {called: unrecorded}
      do: [{play: announcement.wav}, hangup]
    - name: wav
      when: {called: wav}
      do: [answer, record, &say {play: announcement.wav}, *say, *say, *say, *say, hangup]
    - name: flac
      when: {called: flac}
      do: [answer, {record: {format: flac}}, *say, *say, *say, *say, *say, hangup]
    - name: opus
      when: {called: opus}
      do: [answer, {record: {format: opus}}, *say, *say, *say, *say, *say, hangup]
"""


def settings(directory: Path, **recording: object) -> dict[str, dict[str, object]]:
    return {
        "media": {
            "recording_dir": str(directory / "recordings"),
            "recording": {"calls": "dialplan", **recording},
        }
    }


def chatter(path: Path) -> Path:
    """Write, into a folder that is made, what a caller says who never stops."""
    path.parent.mkdir()
    said = read_wav((PROMPTS / "caller_question.wav").read_bytes())
    path.write_bytes(write_wav(said.pcm16 * 20, said.sample_rate_hz))
    return path


async def killed_in_calls(
    bot: Bot, directory: Path, numbers: tuple[str, ...], seconds: float
) -> None:
    """Call every number, and kill the bot so long after the last one was answered."""
    async with AsyncExitStack() as phones:
        for number in numbers:
            folder = directory / number
            play = chatter(folder / "said.wav")
            phone = await phones.enter_async_context(baresip(folder, play=play))
            await phone.dial(f"sip:{number}@{bot.sip[0]}:{bot.sip[1]}")
            await phone.until("CALL_ESTABLISHED")
        await asyncio.sleep(seconds)
        # The process, with no chance to close or to write anything.
        os.killpg(bot.process.pid, signal.SIGKILL)
        await bot.exited()


async def recorded_call(bot: Bot, directory: Path, number: str) -> dict[str, Any]:
    """Call a number that hangs up by itself; return the call's record."""
    bot.forget_log()
    play = chatter(directory / "said.wav")
    async with baresip(directory, play=play) as phone:
        await phone.dial(f"sip:{number}@{bot.sip[0]}:{bot.sip[1]}")
        await phone.until("CALL_CLOSED")
    (line,) = await bot.logged("call.finished")
    await bot.idle()
    # The file has the same record as the log, and the recording's path in full.
    return await bot.cdr_of(line)


def sox_says_s(path: Path) -> float:
    """Return how long sox thinks that a file lasts."""
    sox = require_program("sox")
    return float(
        subprocess.run([sox, "--i", "-D", str(path)], capture_output=True, check=True).stdout
    )


def samples_of(prompt: Path) -> int:
    """Return how long a prompt is on the line, at 8 kHz."""
    return round(read_wav(prompt.read_bytes()).duration_ms * 8)


def read_any(path: Path) -> list[Samples]:
    """Return the channels at 8 kHz; decoders of Opus give six times that."""
    samples, rate_hz = soundfile.read(str(path))
    assert rate_hz % 8000 == 0
    return [samples[:: rate_hz // 8000, channel] for channel in (0, 1)]


async def test_a_process_that_is_killed_leaves_its_recordings_readable(tmp_path: Path) -> None:
    numbers, seconds = ("opus", "flac", "wav"), 4.0
    with running_bot(tmp_path, settings(tmp_path), dialplan=DIALPLAN) as bot:
        await killed_in_calls(bot, tmp_path, numbers, seconds)
    files = {path.suffix: path for path in (tmp_path / "recordings").iterdir()}
    assert sorted(files) == [".flac", ".opus", ".wav"]
    for path in files.values():
        # One second is the most that may be lost.
        assert soundfile.info(str(path)).duration > seconds - 1.0
        assert soundfile.info(str(path)).channels == 2
        caller, bot_said = read_any(path)
        assert speech_ms(caller) > 1500
        assert speech_ms(bot_said) > 500
    for suffix in (".wav", ".flac"):
        read_s = sox_says_s(files[suffix])
        assert read_s == pytest.approx(soundfile.info(str(files[suffix])).duration, abs=0.01)


async def test_one_that_is_encrypted_is_decrypted_as_far_as_it_goes(tmp_path: Path) -> None:
    seconds = 4.0
    keyed = settings(tmp_path, key="${REC_KEY}")
    with running_bot(tmp_path, keyed, dialplan=DIALPLAN, environ={"REC_KEY": KEY}) as bot:
        await killed_in_calls(bot, tmp_path, ("wav",), seconds)
    [path] = (tmp_path / "recordings").iterdir()
    assert path.name.endswith(".wav.sealed")
    assert b"RIFF" not in path.read_bytes()
    arguments = ("recording", "decrypt", str(path), "--key-variable", "REC_KEY")
    status, output = await run_command(tmp_path, *arguments, secrets={"REC_KEY": KEY})
    assert status == 3, output
    assert "cut short" in output
    decrypted = path.with_suffix("")
    assert sox_says_s(decrypted) > seconds - 1.0
    caller, bot_said = read_channels(decrypted)
    assert speech_ms(caller) > 1500
    assert speech_ms(bot_said) > 500


@pytest.fixture(name="recording_bot", scope="module")
def _recording_bot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bot]:
    directory = tmp_path_factory.mktemp("recording")
    with running_bot(directory, settings(directory), dialplan=DIALPLAN) as bot:
        yield bot


async def test_nothing_of_the_caller_is_kept_before_the_announcement_ended(
    recording_bot: Bot, tmp_path: Path
) -> None:
    record = await recorded_call(recording_bot, tmp_path / "announced", "announced")
    caller, bot_said = read_channels(Path(record["recording"]))
    announcement = PROMPTS / "short_answer.wav"
    lasts = samples_of(announcement)
    # The announcement itself is kept, to show that it was played, and the caller spoke all along.
    assert likeness(bot_said[:lasts], announcement) > 0.9
    first_kept = int(np.flatnonzero(np.abs(caller) > 0.001)[0])
    assert first_kept >= lasts
    assert speech_ms(caller[lasts:]) > 1000
    assert record["recording_paused_s"] == 0.0


async def test_a_pause_is_silence_of_its_length(recording_bot: Bot, tmp_path: Path) -> None:
    record = await recorded_call(recording_bot, tmp_path / "paused", "paused")
    caller, bot_said = read_channels(Path(record["recording"]))
    lasts = samples_of(PROMPTS / "short_answer.wav")
    paused = slice(lasts + 800, 2 * lasts - 800)
    for channel in (caller, bot_said):
        assert np.max(np.abs(channel[paused])) < 0.001
        assert speech_ms(channel[:lasts]) > 500
        assert speech_ms(channel[2 * lasts + 800 :]) > 300
    assert record["recording_paused_s"] == pytest.approx(lasts / 8000, abs=0.1)


async def test_whom_the_dialplan_does_not_record_is_not(recording_bot: Bot, tmp_path: Path) -> None:
    folder = recording_bot.directory / "recordings"
    before = set(folder.iterdir())
    record = await recorded_call(recording_bot, tmp_path / "unrecorded", "unrecorded")
    assert record["recording"] is None
    assert set(folder.iterdir()) == before
    now = await recording_bot.scrape()
    assert now.total("telephony_recording_files_total") == len(before)
    assert now.total("telephony_recording_failures_total") == 0
    sizes = sum(path.stat().st_size for path in before)
    # In WAV, headers are written again over themselves.
    assert now.total("telephony_recording_bytes_written_total") == sizes


async def test_a_full_disk_ends_no_call(tmp_path: Path) -> None:
    with running_bot(tmp_path, settings(tmp_path), dialplan=DIALPLAN) as bot:
        # From now on its files may be no longer than that: writes fail as on a full disk.
        resource.prlimit(bot.process.pid, resource.RLIMIT_FSIZE, (40_000, 40_000))
        record = await recorded_call(bot, tmp_path / "paused", "paused")
        assert record["cause"] == "dialplan_hung_up"
        assert (await bot.scrape()).total("telephony_recording_failures_total") == 1
        assert len(bot.events("recording.failed")) == 1
    path = record["recording"]
    assert os.path.getsize(path) <= 40_000  # noqa: ASYNC240
    assert soundfile.info(path).duration == pytest.approx(1.0, abs=0.3)
