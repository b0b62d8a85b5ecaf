"""PJSIP that says back what it hears: ``python -m tests.bench.media_pjsip PORT REPORT``.

A call's audio is connected to itself in PJSIP's conference bridge, whose clock is the null sound
device. Configured for its best: no silence suppression, no echo canceller, no resampling. The
report has the lines of :mod:`tests.bench.media_echo`.
"""

from __future__ import annotations

import json
import re
import signal
import sys
from pathlib import Path
from typing import Any

import pjsua2 as pj

HOST = "127.0.0.1"
FRAME_MS = 20


class Call(pj.Call):  # type: ignore[misc]
    """Answers, echoes, and keeps the newest statistics: with the media they are gone."""

    def __init__(self, account: pj.Account, call_id: int) -> None:
        super().__init__(account, call_id)
        self.over = False
        self.line: dict[str, Any] = {}

    def onCallState(self, prm: Any) -> None:  # noqa: N802
        self.over = self.getInfo().state == pj.PJSIP_INV_STATE_DISCONNECTED

    def onCallMediaState(self, prm: Any) -> None:  # noqa: N802
        info = self.getInfo()  # its parts go with it
        for index, media in enumerate(info.media):
            if media.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
                audio = self.getAudioMedia(index)
                audio.startTransmit(audio)

    def note(self) -> None:
        """Read the statistics of a call that is up."""
        info = self.getInfo()
        caller = re.search(r"sips?:([^@>]*)@", info.remoteUri)
        stats = self.getStreamStat(0)
        self.line = {
            "call": caller[1] if caller else "",
            # A frame that was not there when it was due: lost, or late.
            "concealed_ms": (stats.jbuf.lost + stats.jbuf.empty) * FRAME_MS,
            "lost_packets": stats.rtcp.rxStat.loss,
            "jitter_buffer_ms": stats.jbuf.avgDelayMsec,
        }


class Account(pj.Account):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []

    def onIncomingCall(self, prm: Any) -> None:  # noqa: N802
        call = Call(self, prm.callId)
        self.calls.append(call)
        answer = pj.CallOpParam()
        answer.statusCode = 200
        call.answer(answer)

    def note(self) -> None:
        for call in self.calls:
            if call.hasMedia():
                call.note()

    def report_ended(self, report: Path) -> None:
        for call in [call for call in self.calls if call.over]:
            # PJSIP frees it here; it must not outlive the endpoint.
            self.calls.remove(call)
            with report.open("a") as lines:
                lines.write(json.dumps(call.line) + "\n")


def start(port: int) -> tuple[pj.Endpoint, Account]:
    endpoint = pj.Endpoint()
    endpoint.libCreate()
    config = pj.EpConfig()
    config.logConfig.level = config.logConfig.consoleLevel = 1
    config.uaConfig.threadCnt = 0
    config.uaConfig.mainThreadOnly = True
    config.medConfig.noVad = True
    config.medConfig.ecTailLen = 0
    config.medConfig.clockRate = config.medConfig.sndClockRate = 8000
    config.medConfig.audioFramePtime = FRAME_MS
    endpoint.libInit(config)
    transport = pj.TransportConfig()
    transport.port = port
    transport.boundAddress = HOST
    endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
    endpoint.libStart()
    endpoint.audDevManager().setNullDev()
    endpoint.codecSetPriority("PCMU/8000", 255)
    account = Account()
    wanted = pj.AccountConfig()
    wanted.idUri = f"sip:echo@{HOST}:{port}"
    wanted.mediaConfig.transportConfig.boundAddress = HOST
    account.create(wanted)
    return endpoint, account


def main() -> None:
    port, report = int(sys.argv[1]), Path(sys.argv[2])
    endpoint, account = start(port)
    going_on = True

    def stop(number: int, frame: object) -> None:
        nonlocal going_on
        going_on = False

    signal.signal(signal.SIGTERM, stop)
    turns = 0
    while going_on:
        endpoint.libHandleEvents(20)
        account.report_ended(report)
        turns += 1
        if turns % 25 == 0:
            account.note()
    account.shutdown()
    del account
    endpoint.libDestroy()
    del endpoint


if __name__ == "__main__":
    main()
