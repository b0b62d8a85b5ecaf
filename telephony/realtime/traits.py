"""How models differ in what they do by themselves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Traits:
    """How a model takes part in a conversation; what it does not do by itself, we do.

    ``detects_turns``: it finds the end of the caller's turn. ``responds_by_itself``: it then
    answers unasked. ``interrupts_by_itself``: it stops generating when the caller speaks.
    ``endpointing_ms`` is the silence after which it takes a turn for ended (0: not known).
    ``prebuffer_ms`` replaces the configured one for a model that sends in real time. ``resumes``:
    a new connection goes on with the session of the one before, so that a call needs no other.
    ``marks_turns``: it wants to be told when the caller begins to speak
    (:class:`telephony.realtime.dialect.TurnMarking`), not only when they end.
    """

    detects_turns: bool = True
    responds_by_itself: bool = True
    interrupts_by_itself: bool = True
    endpointing_ms: int = 0
    prebuffer_ms: int | None = None
    resumes: bool = False
    marks_turns: bool = False
