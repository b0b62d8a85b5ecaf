"""Commands of ours for one call, each carried out by the worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import pjsua2 as pj

from telephony.stacks.pjsip.call_events import CommandFailed
from telephony.stacks.pjsip.director import Directors, Tell
from telephony.stacks.pjsip.stream_counts import StreamReading
from telephony.stacks.pjsip.worker import Worker

Headers = Sequence[tuple[str, str]]


class Line(Protocol):
    """What a leg asks of its call; outcomes come back as events."""

    def respond(self, status: int, reason: str = "", headers: Headers = ()) -> None:
        """Answer the INVITE; PJSIP puts its SDP into 183 and 200."""

    def hang_up(self, headers: Headers = ()) -> None:
        """Send BYE or CANCEL, whichever it takes."""

    def hold(self) -> None: ...

    def resume(self) -> None: ...

    def refer(self, target_uri: str) -> None: ...

    def refer_replacing(self, replaced: Line) -> None: ...

    def press(self, digit: str, duration_ms: int, by_info: bool) -> None:
        """Press a key, by telephone-events or by INFO."""

    def count(self) -> StreamReading | None:
        """Return what the stream has counted, at once; None without one."""


class PjsipLine:
    """Implements :class:`Line` for the call with this key."""

    def __init__(self, key: int, worker: Worker, directors: Directors, tell: Tell) -> None:
        self.key = key
        self._worker = worker
        self._directors = directors
        self._tell = tell

    def respond(self, status: int, reason: str = "", headers: Headers = ()) -> None:
        def command(call: Any) -> None:
            call.answer(operation(headers, status, reason))

        self._command("respond", command)

    def hang_up(self, headers: Headers = ()) -> None:
        self._command("hang_up", lambda call: call.hangup(operation(headers)))

    def hold(self) -> None:
        self._command("hold", lambda call: call.setHold(pj.CallOpParam(True)))

    def resume(self) -> None:
        def command(call: Any) -> None:
            call.reinvite(audio_only(flag=pj.PJSUA_CALL_UNHOLD))

        self._command("resume", command)

    def refer(self, target_uri: str) -> None:
        self._command("refer", lambda call: call.xfer(f"<{target_uri}>", pj.CallOpParam()))

    def refer_replacing(self, replaced: Line) -> None:
        def command(call: Any) -> None:
            key = replaced.key if isinstance(replaced, PjsipLine) else 0
            other = self._directors.get(key)
            if other is None:
                raise LookupError("the call to be replaced is over")
            call.xferReplaces(other, pj.CallOpParam())

        self._command("refer", command)

    def press(self, digit: str, duration_ms: int, by_info: bool) -> None:
        def command(call: Any) -> None:
            key = pj.CallSendDtmfParam()
            key.method = pj.PJSUA_DTMF_METHOD_SIP_INFO if by_info else pj.PJSUA_DTMF_METHOD_RFC2833
            key.duration, key.digits = duration_ms, digit
            call.sendDtmf(key)

        self._command("press", command)

    def count(self) -> StreamReading | None:
        director = self._directors.get(self.key)
        return None if director is None else director.count()

    def _command(self, what: str, command: Callable[[Any], None]) -> None:
        def job() -> None:
            try:
                director = self._directors.get(self.key)
                if director is None:
                    raise LookupError("the call is over")
                command(director)
            except (pj.Error, LookupError) as error:
                self._tell(self.key, CommandFailed(what, reason_of(error)))

        self._worker.post(job)


def operation(headers: Headers = (), status: int = 0, reason: str = "") -> Any:
    """Return the arguments of a command that does not touch media."""
    made = pj.CallOpParam()
    made.statusCode = status
    made.reason = reason
    for header in sip_headers(headers):
        made.txOption.headers.append(header)
    return made


def audio_only(flag: int = 0) -> Any:
    """Return the arguments of a command with an offer of one audio stream."""
    made = pj.CallOpParam(True)
    made.opt.audioCount = 1
    made.opt.videoCount = 0
    if flag:
        made.opt.flag = flag
    return made


def sip_headers(headers: Headers) -> list[Any]:
    made = []
    for name, value in headers:
        header = pj.SipHeader()
        header.hName, header.hValue = name, value
        made.append(header)
    return made


def reason_of(error: Exception) -> str:
    """Return why PJSIP refused something, in its own words."""
    return str(getattr(error, "reason", "") or error)
