"""Early dialogs of an INVITE of ours: one for each callee that a proxy forked it to.

RFC 3261 section 12.1, RFC 3262 section 4, RFC 6228. A callee is told from others by its To tag.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from telephony.sip.dialog import Dialog
from telephony.sip.message import IncomingResponse, list_values
from telephony.sip.values import read_number

if TYPE_CHECKING:
    from telephony.sip.agent import Agent
    from telephony.sip.leg import Leg

EARLY_DIALOG_TERMINATED: Final = 199
_MAX_FORKS: Final = 32
_MAX_RSEQ: Final = 2**32 - 1


@dataclass(slots=True)
class EarlyDialog:
    """A callee that was heard of. ``rseq`` is that of its last reliable response, 0 before.

    ``agreed`` says that our offer was answered reliably, which makes the answer final.
    """

    dialog: Dialog
    rseq: int = 0
    agreed: bool = False

    def accept_rseq(self, rseq: int) -> bool:
        """Return True for the next reliable response; others get no PRACK.

        A repeated one was acknowledged, and that PRACK looks after itself; after a gap the callee
        sends again what was lost, and then this one.
        """
        if self.rseq and rseq != self.rseq + 1:
            return False
        self.rseq = rseq
        return True

    def described(self, sdp: bytes | None, *, reliably: bool) -> None:
        """Take the description in a response; after a reliable answer others say nothing new."""
        if sdp is not None and not self.agreed:
            self.dialog.remote_sdp = sdp
            self.agreed = reliably


class EarlyDialogs:
    """The early dialogs of one leg by To tag; requests of the callees find them in the agent.

    ``_closed`` holds those, early or not, that were sent BYE because their 2xx was one too many.
    """

    __slots__ = ("_agent", "_by_tag", "_closed", "_leg")

    def __init__(self, agent: Agent, leg: Leg) -> None:
        self._agent = agent
        self._leg = leg
        self._by_tag: dict[str, EarlyDialog] = {}
        self._closed: dict[str, Dialog] = {}

    @property
    def last_cseq(self) -> int:
        """The highest CSeq of ours in any of them, 0 when there is none."""
        dialogs = [early.dialog for early in self._by_tag.values()] + list(self._closed.values())
        return max((dialog.local_cseq for dialog in dialogs), default=0)

    def dialog_of(self, response: IncomingResponse) -> Dialog | None:
        """Return the dialog of a callee heard of before; its 2xx makes it final."""
        tag = response.to_tag
        dialog = self._by_tag[tag].dialog if tag in self._by_tag else self._closed.get(tag)
        if dialog is not None and response.status >= 200:
            dialog.confirm(response)
        return dialog

    def close(self, dialog: Dialog) -> None:
        """Remember a dialog that is sent BYE, whatever later tries hear of that callee."""
        self._closed[dialog.remote_tag] = dialog

    def is_closed(self, to_tag: str) -> bool:
        return to_tag in self._closed

    def progressed(
        self, response: IncomingResponse, create: Callable[[], Dialog]
    ) -> EarlyDialog | None:
        """Return the early dialog of a provisional response; None when it makes none.

        The first response of a callee makes it; 199 takes it back.
        """
        tag = response.to_tag
        early = self._by_tag.get(tag)
        if early is None and tag and response.status > 100 and len(self._by_tag) < _MAX_FORKS:
            early = self._by_tag[tag] = EarlyDialog(create())
            self._agent.enter_early_dialog(self._leg, early.dialog)
        if early is not None and response.status == EARLY_DIALOG_TERMINATED:
            self._agent.leave_early_dialog(self._leg, early.dialog)
        return early

    def leave(self) -> None:
        """A final response came: no callee can do anything any more in an early dialog.

        Their sequence numbers are kept, for a callee that answers too late has to be sent BYE.
        """
        for early in self._by_tag.values():
            self._agent.leave_early_dialog(self._leg, early.dialog)

    def forget(self) -> None:
        """Another INVITE takes the place of the one that made them."""
        self.leave()
        self._by_tag.clear()


def reliable_rseq(response: IncomingResponse) -> int:
    """Return the RSeq of a provisional response that wants a PRACK, 0 for any other."""
    if response.status <= 100 or not response.to_tag:
        return 0
    tags = list_values(response.headers, "Require")
    if not any(tag.lower() == "100rel" for tag in tags):
        return 0
    return read_number(response.headers.get("RSeq"), _MAX_RSEQ) or 0
