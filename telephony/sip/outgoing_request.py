"""A request of ours, written anew for every try."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from telephony.sip.flow import Flow
from telephony.sip.message import IncomingResponse
from telephony.sip.routing import contact_value, via_value
from telephony.sip.writer import HeaderLines, RequestParts, write_request

if TYPE_CHECKING:
    from telephony.sip.agent import Agent
    from telephony.sip.authentication import Authentication, ChallengeKey

_MAX_TRIES = 6


@dataclass(slots=True)
class OutgoingRequest:
    """What stays and what changes between the tries of one request.

    A try follows a challenge, or a stream that the size of the request asked for and that could
    not be had; it is a transaction of its own. ``parts``, ``branch``, ``flow`` and
    ``credentials`` are those of the last try, ``headers`` come without Contact: with
    ``contact`` it is written for the flow. ``next_cseq`` draws the CSeq of the next try; without
    it that is the next number.
    """

    agent: Agent
    parts: RequestParts
    flow: Flow
    next_cseq: Callable[[], int] | None = None
    headers: HeaderLines = ()
    content_type: str = ""
    body: bytes = b""
    contact: bool = False
    secure: bool = False
    authentication: Authentication | None = None
    branch: str = ""
    tries: int = 0
    credentials: dict[ChallengeKey, str] = field(default_factory=dict)
    _datagrams: Flow | None = None
    _stream_failed: bool = False

    @property
    def method(self) -> str:
        return self.parts.method

    @property
    def credential_lines(self) -> HeaderLines:
        """The credentials of the last try, which an ACK repeats (section 22.1)."""
        return [(name, value) for (name, _), value in self.credentials.items()]

    def write(self, now: float) -> bytes:
        """Return the octets of a new try with a branch of its own, and choose its flow.

        A request too large for a datagram goes over a stream (section 18.1.1).
        """
        self.tries += 1
        self.branch = self.agent.new_branch()
        if self.authentication is not None:
            self.credentials = self.authentication.answers(self.parts.method, self.parts.uri)
        data = self._write()
        stream = self.agent.size_switch.stream_for(len(data), self.flow, now)
        if stream is not None and not self._stream_failed:
            self._datagrams, self.flow = self.flow, stream
            data = self._write()
        return data

    def _write(self) -> bytes:
        config = self.agent.config
        self.parts = replace(self.parts, via=via_value(config, self.flow, self.branch))
        lines = (*self.credential_lines, *self.headers)
        if self.contact:
            lines = (("Contact", contact_value(config, self.flow, self.secure)), *lines)
        return write_request(self.parts, lines, self.content_type, self.body)

    def answer_challenge(self, response: IncomingResponse) -> bool:
        """Take over what a 401 or 407 asks for; True when the request is worth another try.

        That one is the same with a higher CSeq: renew() (section 8.1.3.5).
        """
        if self.authentication is None or response.status not in (401, 407):
            return False
        stats, parts = self.agent.stats, self.parts
        if self.tries >= _MAX_TRIES or not self.authentication.challenged(
            response.headers, self.credentials, parts.method, parts.uri
        ):
            stats.challenges_refused += 1
            return False
        stats.challenges_answered += 1
        return True

    def renew(self, cseq: int = 0) -> None:
        """Take the CSeq of another try, higher than ``cseq``."""
        parts = self.parts
        following = self.next_cseq() if self.next_cseq else max(parts.cseq, cseq) + 1
        self.parts = replace(parts, cseq=following)

    def return_to_datagrams(self, now: float) -> bool:
        """Give up a stream that was chosen for the size alone; True when there is another way."""
        if self._datagrams is None:
            return False
        self.agent.size_switch.stream_failed(self.flow, now)
        self.flow, self._datagrams = self._datagrams, None
        self._stream_failed = True
        return True
