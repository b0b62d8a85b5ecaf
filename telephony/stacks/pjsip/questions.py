"""Requests outside of calls (OPTIONS), each with the object that names it to PJSIP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pjsua2 as pj

from telephony.sip.events import RequestFinished
from telephony.stacks.pjsip.messages import headers_of

OnFinished = Callable[[RequestFinished], None]


@dataclass(frozen=True, slots=True)
class _Question:
    method: str
    on_finished: OnFinished
    name: Any


class Questions:
    """What was asked and not answered yet; for the loop alone."""

    def __init__(self) -> None:
        self._open: dict[int, _Question] = {}

    def ask(self, method: str, on_finished: OnFinished) -> Any:
        """Return what PJSIP gives back with the answer: any object of its own has an address."""
        name = pj.SipHeader()
        self._open[int(name.this)] = _Question(method, on_finished, name)
        return name

    def answered(self, token: int, status: int, reason: str, message: bytes) -> None:
        """Pass on a final answer; 408 or 503 without a message when nobody gave one."""
        if status < 200 or (question := self._open.pop(token, None)) is None:
            return
        headers = headers_of(message)
        request_id = f"{token:x}"
        question.on_finished(RequestFinished(request_id, question.method, status, reason, headers))

    def clear(self) -> None:
        self._open.clear()
