"""What the user agent asks before it serves a request, and what it tells about the senders."""

from __future__ import annotations

from typing import Final

from telephony.sip.admission import DROPPED, Admission, Admitted, Ruling
from telephony.sip.flow import Flow
from telephony.sip.message import IncomingRequest
from telephony.sip.scanners import is_scanner
from telephony.sip.source_guard import Offence, SourceGuard
from telephony.sip.values import read_address

_STRANGER: Final = Admitted("")
# How extensions that do not exist are refused: what whoever guesses numbers hears most.
_NO_SUCH_EXTENSION: Final = frozenset((404, 484, 604))


class Gate:
    """Admission and guard together; without both of them everything passes unseen."""

    __slots__ = ("_admission", "_guard")

    def __init__(self, admission: Admission | None, guard: SourceGuard | None) -> None:
        self._admission = admission
        self._guard = guard

    def screen(self, request: IncomingRequest, known: bool, now: float) -> Ruling:
        """Rule on a request that is no ACK and not repeated.

        ``known`` says that it is for a dialog or transaction that we have: whoever can name those
        took part in making them.
        """
        if self._admission is None and self._guard is None:
            return _STRANGER
        if _is_from_scanner(request):
            self._note("scanner", request.flow, now)
            return DROPPED
        if known:
            return _STRANGER
        if request.to_tag or request.method == "CANCEL":
            return self._screen_astray(request, now)
        ruling = _STRANGER if self._admission is None else self._admission.screen(request, now)
        if request.method == "REGISTER" and not (isinstance(ruling, Admitted) and ruling.peer_name):
            self._note("unwanted_register", request.flow, now)
        return ruling

    def answers_malformed(self, flow: Flow, now: float) -> bool:
        """Hold a message that could not be read against its sender; False: no answer to it."""
        self._note("malformed", flow, now)
        return self._admission is None or self._admission.answers_stranger(flow)

    def invite_refused(self, request: IncomingRequest, status: int, now: float) -> None:
        """Tell how the layer above refused a call."""
        if status in _NO_SUCH_EXTENSION and not request.peer:
            self._note("not_found", request.flow, now)

    def _screen_astray(self, request: IncomingRequest, now: float) -> Ruling:
        """A request for a dialog or transaction that we do not have: 481, or silence."""
        if self._admission is None or self._admission.answers_stranger(request.flow):
            return _STRANGER
        self._note("unknown_source", request.flow, now)
        return DROPPED

    def _note(self, offence: Offence, flow: Flow, now: float) -> None:
        if self._guard is not None:
            self._guard.note(offence, flow.remote[0], now)


def _is_from_scanner(request: IncomingRequest) -> bool:
    if is_scanner(request.headers.get("User-Agent") or ""):
        return True
    caller = read_address(request.from_value)
    return caller is not None and bool(caller.display) and is_scanner(caller.display)
