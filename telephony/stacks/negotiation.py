"""Offers and answers of one leg, whichever side is faster (RFC 3264, RFC 3261 section 14)."""

from __future__ import annotations

from telephony.sdp.description import Direction
from telephony.sdp.offer_answer import Answer, NegotiatedMedia, OfferAnswer


class Negotiation:
    """What the leg says of its session, and what it still has to say.

    An offer of ours that collided waits in the user agent while that of the peer is answered; it
    may be sent after all, or have failed by then. So an offer that lapsed may still be answered.
    """

    def __init__(self, offer_answer: OfferAnswer) -> None:
        self._offer_answer = offer_answer
        self._lapsed = True
        self._said: Direction = offer_answer.direction

    @property
    def offer_pending(self) -> bool:
        return self._offer_answer.offer_pending

    @property
    def unsaid(self) -> bool:
        """Whether the peer was not told yet which direction we want."""
        return self._said != self._offer_answer.direction

    def turn(self, direction: Direction) -> None:
        """Want another direction: it goes with the next offer or answer."""
        self._offer_answer.direction = direction

    def offer(self) -> bytes:
        self._lapsed = False
        self._said = self._offer_answer.direction
        return self._offer_answer.create_offer()

    def answer(self, offer: bytes) -> Answer:
        """Answer the peer, whose offer takes the place of one of ours under way.

        Raises NotAcceptable; the session is as before then.
        """
        self.lapse()
        answer = self._offer_answer.answer(offer)
        self._said = self._offer_answer.direction
        return answer

    def take_answer(self, answer: bytes) -> NegotiatedMedia:
        """Take the answer to our offer, or to one that the user agent made of the last.

        Raises NotAcceptable.
        """
        if self._lapsed:
            self._lapsed = False
            self._offer_answer.create_offer()
        return self._offer_answer.receive_answer(answer)

    def lapse(self) -> None:
        """Expect no answer to our offer any more."""
        self._offer_answer.withdraw_offer()
        self._lapsed = True
