"""A call that goes from one agent to another without leaving the line."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Handoff:
    """An agent that a call may be handed to; the model sees the description."""

    agent: str
    description: str = ""
