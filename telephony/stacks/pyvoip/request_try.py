"""A request of ours that is not an INVITE, with the tries it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from telephony.sip.authentication import Authentication, ChallengeKey
from telephony.sip.flow import Flow
from telephony.sip.message import IncomingResponse
from telephony.sip.routing import via_value
from telephony.sip.status import reason_phrase
from telephony.sip.values import printable
from telephony.sip.writer import HeaderLines, RequestParts
from telephony.stacks.pyvoip.completing import complete_request
from telephony.stacks.pyvoip.core import Core
from telephony.stacks.pyvoip.draft import Draft

_MAX_TRIES = 6

Write = Callable[[bool], Draft]
"""Lets pyVoIP write the request; True for another try, after a challenge."""

Finished = Callable[[int, str, IncomingResponse | None, float], None]
"""Called once with status, reason, the final response if there was one, and now."""


class RequestTry:
    """The user of the client transactions of one request; a challenge makes another try.

    ``parts`` come with or without a Via: every try has its own. ``cseq_drawn`` hears of the CSeq
    of every further try.
    """

    def __init__(
        self,
        core: Core,
        parts: RequestParts,
        flow: Flow,
        write: Write,
        finished: Finished,
        *,
        headers: HeaderLines = (),
        contact: str = "",
        authentication: Authentication | None = None,
        cseq_drawn: Callable[[int], None] | None = None,
    ) -> None:
        self._core = core
        self._parts = parts
        self._flow = flow
        self._write = write
        self._finished = finished
        self._headers = headers
        self._contact = contact
        self._authentication = authentication
        self._cseq_drawn = cseq_drawn
        self._carried: dict[ChallengeKey, str] = {}
        self._tries = 0

    def begin(self, now: float) -> None:
        core = self._core
        self._tries += 1
        draft = core.enter(lambda: self._write(self._tries > 1))
        if draft is None:
            self._finished(500, reason_phrase(500), None, now)
            return
        branch = core.new_branch()
        self._parts = replace(self._parts, via=via_value(core.config, self._flow, branch))
        if self._authentication is not None:
            self._carried = self._authentication.answers(self._parts.method, self._parts.uri)
        answers = [(name, value) for (name, _), value in self._carried.items()]
        headers = (*answers, *self._headers)
        data = complete_request(draft, self._parts, core.config, headers, self._contact)
        core.transactions.create_client(self._parts.method, branch, self._flow, self).begin(
            data, now
        )

    def response_received(self, response: IncomingResponse, now: float) -> None:
        if response.status < 200:
            return
        if self._is_challenge(response):
            cseq = self._parts.cseq + 1
            self._parts = replace(self._parts, cseq=cseq)
            if self._cseq_drawn is not None:
                self._cseq_drawn(cseq)
            self.begin(now)
            return
        self._finished(response.status, printable(response.reason), response, now)

    def request_failed(self, status: int, now: float) -> None:
        self._finished(status, reason_phrase(status), None, now)

    def _is_challenge(self, response: IncomingResponse) -> bool:
        """Take the challenges of a 401 or 407; True when another try is worth it."""
        if self._authentication is None or response.status not in (401, 407):
            return False
        worth = self._tries < _MAX_TRIES and self._authentication.challenged(
            response.headers, self._carried, self._parts.method, self._parts.uri
        )
        stats = self._core.stats
        if worth:
            stats.challenges_answered += 1
        else:
            stats.challenges_refused += 1
        return worth
