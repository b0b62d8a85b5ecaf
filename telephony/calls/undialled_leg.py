"""What an outbound call has in the place of a leg until somebody answers."""

from __future__ import annotations

from telephony.base.dialing import DialRequest
from telephony.base.errors import LocalProtocolError
from telephony.base.interfaces import Encoding, Leg, LegFacts, LegListener, Media


class UndialledLeg:
    """Knows whom to call and does nothing: cancelling the dialling is what ends it."""

    def __init__(self, request: DialRequest) -> None:
        self._facts = LegFacts(
            sip_call_id="",
            called=request.target,
            caller=request.caller_id,
            caller_name=request.caller_name,
            source_ip="",
            transport="",
            trunk="",
            headers={},
        )

    @property
    def facts(self) -> LegFacts:
        return self._facts

    @property
    def media(self) -> Media:
        raise LocalProtocolError("nobody has answered")

    def listen(self, listener: LegListener) -> None:
        """There is nothing to hear."""

    def prepare(self) -> None:
        """The dialler makes the offer."""

    def ring(self) -> None:
        """It is the other side that rings."""

    def progress(self) -> None:
        """It is the other side that answers."""

    def answer(self) -> None:
        """It is the other side that answers."""

    def reject(self, status: int, reason: str = "", retry_after_s: int | None = None) -> None:
        """There is no request to refuse."""

    def hangup(self, cause: str = "") -> None:
        """Nothing stands."""

    def hold(self) -> None:
        """Nobody to hold."""

    def resume(self) -> None:
        """Nobody is held."""

    def transfer(self, target: str, replacing: Leg | None = None) -> None:
        raise LocalProtocolError("nobody has answered")

    def answer_refer(self, status: int) -> None:
        """Nobody asked."""

    def adopt_encoding(self, encoding: Encoding, sample_rate_hz: int) -> None:
        """The answered leg is told."""

    def close(self) -> None:
        """There is no media."""
