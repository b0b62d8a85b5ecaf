"""``telephony dial`` as a user runs it, and SIPp as the network it calls."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.sipp import SCENARIOS, sipp_server
from tests.system.bot import PROMPTS, run_command
from tests.system.listening import read_channels, speech_ms
from tests.system.rtp_peer import frames_of

pytestmark = pytest.mark.system


def configure(folder: Path, port: int) -> None:
    """Write one agent and one trunk, whose calls are recorded."""
    config = folder / "config"
    for name in ("agents", "trunks", "dialplans"):
        (config / name).mkdir(parents=True)
    (config / "telephony.yaml").write_text(
        "sip: {host: 127.0.0.1, udp_port: 5060, tcp_port: null}\n"
        f"media: {{recording_dir: {folder / 'recordings'}}}\n"
        "dialplan: {dir: dialplans}\n"
    )
    (config / "agents" / "bot.yaml").write_text("base_url: rehearsal\n")
    (config / "trunks" / "pbx.yaml").write_text(f"servers: 127.0.0.1:{port}\nkeepalive: false\n")
    (config / "dialplans" / "main.yaml").write_text(
        "contexts: {main: [{name: all, do: [connect_model: bot]}]}\n"
    )


async def test_an_announcement_in_the_place_of_an_answer_is_recorded(tmp_path: Path) -> None:
    audio = tmp_path / "not_in_service.ulaw"
    audio.write_bytes(b"".join(frames_of(PROMPTS / "caller_question.wav")))
    scenario, values = SCENARIOS / "called_announces.xml", {"audio": str(audio)}
    async with sipp_server(scenario, tmp_path, values=values, extra=("-d", "2500")) as sipp:
        configure(tmp_path, sipp.address[1])
        status, output = await run_command(tmp_path, "dial", "+15550100")
        run = await sipp.finished()
    assert run.succeeded, str(run)
    assert status == 6, output
    assert "early media" in output
    assert "not answered: not found: 404 Not Found" in output
    [recording] = (tmp_path / "recordings").glob("*.wav")
    far_end, bot = read_channels(recording)
    assert speech_ms(far_end) > 1000
    assert speech_ms(bot) == 0
