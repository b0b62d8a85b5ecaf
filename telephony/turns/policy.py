"""When a caller's voice or digit interrupts the bot: the operator's wishes as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Mode = Literal["both", "local", "server", "off"]


@dataclass(frozen=True, slots=True)
class BargeInPolicy:
    mode: Mode = "both"
    """Whose word counts: our own voice activity detector, the model's, whichever is first, or
    nobody's."""
    min_speech_ms: int = 80
    """Voice our detector must have heard; more keeps "mm-hm" and coughs from interrupting."""
    ignore_first_ms: int = 250
    """Voice in this time after the bot began to speak does not count: echo cancellers are still
    learning the line. A server that interrupts by itself is obeyed all the same."""
    digits: bool = True
    """A DTMF digit interrupts."""
    server_interrupts: bool = True
    """The model stops generating by itself when it hears speech (``interrupt_response``)."""
    protect_greeting: bool = False
    """Nothing the caller does interrupts what the bot says before the caller's first turn."""
    false_interruption_ms: int = 1500
    """When only our detector heard a voice and then this long nothing follows, the model is
    asked for a new response, so that the call does not stay mute; 0 never asks."""

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise ValueError(f"mode is {self.mode!r}; it must be one of {get_args(Mode)}")
        for name in ("min_speech_ms", "ignore_first_ms", "false_interruption_ms"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative")

    @property
    def obeys_local(self) -> bool:
        return self.mode in ("both", "local")

    @property
    def obeys_server(self) -> bool:
        return self.mode in ("both", "server")
