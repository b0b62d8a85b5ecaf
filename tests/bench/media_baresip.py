"""A new baresip that says back what it hears: ``python -m tests.bench.media_baresip PORT REPORT``.

The decoded audio goes through Python, a poll every few milliseconds, and back. This build has no
concealment for G.711. The report has the lines of :mod:`tests.bench.media_echo`.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from pathlib import Path

import baresip
from baresip.errors import AudioNotActive, AudioRestarted

HOST = "127.0.0.1"
POLL_S = 0.005
FRAME_MS = 20

SETTINGS = """\
sip_listen {host}:{port}
rtp_ports 50400-50498
audio_jitter_buffer_type adaptive
"""

CUSHION = bytes(2 * 8 * 20)
"""20 ms of silence ahead of the echo: what the two clocks of reading and sending are apart."""


async def echo(call: baresip.Call, report: Path) -> None:
    await call.answer()
    await call.wait_established()
    audio, started = call.audio, False
    while call.state is not baresip.CallState.CLOSED:
        try:
            heard = audio.read(16_000)
            if heard:
                audio.write(heard if started else CUSHION + heard)
                started = True
        except (AudioNotActive, AudioRestarted):
            pass  # not yet, or no longer
        await asyncio.sleep(POLL_S)
    _write_line(call, report)


def _write_line(call: baresip.Call, report: Path) -> None:
    stats = call.final_stats
    caller = re.search(r"sips?:([^@>]*)@", call.peer or "")
    lost = None if stats is None else (stats.jbuf_lost or 0) + (stats.jbuf_late or 0)
    line = {
        "call": caller[1] if caller else "",
        # Nothing fills what is missing; it is counted like that which others conceal.
        "concealed_ms": None if lost is None else lost * FRAME_MS,
        "lost_packets": None if stats is None else stats.jbuf_lost,
        "jitter_buffer_ms": None if stats is None else stats.jbuf_delay_ms,
    }
    with report.open("a") as lines:
        lines.write(json.dumps(line) + "\n")


async def serve(port: int, report: Path) -> None:
    """Answer every call on UDP ``port`` until SIGTERM."""
    runtime = baresip.Runtime()
    await runtime.start(
        baresip.Config(
            net_interface=HOST,
            max_concurrent_calls=4,
            extra_config_text=SETTINGS.format(host=HOST, port=port),
        )
    )
    agent = await baresip.UserAgent.create(
        runtime, f"<sip:echo@{HOST}:{port}>;regint=0;answermode=manual;audio_codecs=pcmu/8000/1"
    )
    done = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, done.set)
    async with asyncio.TaskGroup() as calls:
        agent.on_incoming(lambda call: calls.create_task(echo(call, report)))
        await done.wait()
    await runtime.close()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
