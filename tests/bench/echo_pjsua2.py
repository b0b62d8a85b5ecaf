"""pjsua2 that says back what it hears: ``python -m tests.bench.echo_pjsua2 PORT``.

The audio goes through a media port written in Python, as that of an application has to.
"""

from __future__ import annotations

import signal
import sys
from collections import deque
from typing import Any

import pjsua2 as pj

HOST = "127.0.0.1"
FRAME_MS = 20
SILENCE = bytes(2 * 8 * FRAME_MS)


class EchoPort(pj.AudioMediaPort):  # type: ignore[misc]
    """Gives PJSIP the frame that it got before."""

    def __init__(self) -> None:
        super().__init__()
        self._frames: deque[bytes] = deque(maxlen=3)
        audio = pj.MediaFormatAudio()
        audio.init(pj.PJMEDIA_FORMAT_PCM, 8000, 1, FRAME_MS * 1000, 16)
        self.createPort("echo", audio)

    def onFrameReceived(self, frame: Any) -> None:  # noqa: N802
        # The buffer dies with this call.
        self._frames.append(bytes(frame.buf))

    def onFrameRequested(self, frame: Any) -> None:  # noqa: N802
        frame.type = pj.PJMEDIA_FRAME_TYPE_AUDIO
        frame.buf = pj.ByteVector(self._frames.popleft() if self._frames else SILENCE)


class Call(pj.Call):  # type: ignore[misc]
    def __init__(self, account: pj.Account, call_id: int) -> None:
        super().__init__(account, call_id)
        self.over = False
        self.port = EchoPort()

    def onCallState(self, prm: Any) -> None:  # noqa: N802
        self.over = self.getInfo().state == pj.PJSIP_INV_STATE_DISCONNECTED

    def onCallMediaState(self, prm: Any) -> None:  # noqa: N802
        info = self.getInfo()
        for index, media in enumerate(info.media):
            if media.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
                audio = self.getAudioMedia(index)
                audio.startTransmit(self.port)
                self.port.startTransmit(audio)


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

    def forget_ended(self) -> None:
        for call in [call for call in self.calls if call.over]:
            self.calls.remove(call)


def main() -> None:
    endpoint = pj.Endpoint()
    endpoint.libCreate()
    config = pj.EpConfig()
    config.logConfig.level = config.logConfig.consoleLevel = 0
    config.uaConfig.threadCnt = 0
    config.uaConfig.mainThreadOnly = True
    config.medConfig.noVad = True
    config.medConfig.ecTailLen = 0
    config.medConfig.clockRate = config.medConfig.sndClockRate = 8000
    config.medConfig.audioFramePtime = FRAME_MS
    endpoint.libInit(config)
    transport = pj.TransportConfig()
    transport.port = int(sys.argv[1])
    transport.boundAddress = HOST
    endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
    endpoint.libStart()
    endpoint.audDevManager().setNullDev()
    account = Account()
    wanted = pj.AccountConfig()
    wanted.idUri = f"sip:echo@{HOST}:{sys.argv[1]}"
    account.create(wanted)
    going_on = True

    def stop(number: int, frame: object) -> None:
        nonlocal going_on
        going_on = False

    signal.signal(signal.SIGTERM, stop)
    while going_on:
        endpoint.libHandleEvents(20)
        account.forget_ended()
    account.calls.clear()
    account.shutdown()
    del account
    endpoint.libDestroy()
    del endpoint


if __name__ == "__main__":
    main()
