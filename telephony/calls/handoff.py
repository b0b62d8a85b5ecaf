"""A call that goes from one agent to another without leaving the line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Handoff:
    """An agent that a call may be handed to; the model sees the description."""

    agent: str
    description: str = ""


class HandOff(Protocol):
    """Gives a call to another agent."""

    def __call__(self, agent_name: str, language: str = "") -> bool:
        """Begin to hand the call over; returns at once, False when that can't be.

        ``language`` is one of the agent's languages, or "" for the one that it begins with. The
        history goes along, and the agent who takes over is asked to speak
        (:data:`telephony.calls.handoff_tool.TAKEN_OVER`).
        """


def cannot_hand_off(agent_name: str, language: str = "") -> bool:
    """Hand nothing over: the call has one agent only."""
    return False
