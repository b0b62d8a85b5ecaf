"""The recording of one call: begun, paused and ended by settings, dialplan and model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import structlog

from telephony.calls.line import Line
from telephony.calls.recorder import Kept
from telephony.calls.recording_encoders import RecordingFormat
from telephony.dialplan.actions import Action, Answer, ConnectModel, Play, PreAnswer, Record
from telephony.dialplan.actions import Transfer as TransferAction

if TYPE_CHECKING:
    from telephony.calls.services import CallRecorder, CallServices

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RecordingRules:
    """Which calls are recorded, where there is a recorder at all.

    ``all``: every one, from where its extension says ``record`` if it does, and unless that begins
    with ``record: stop``; ``dialplan``: those whose extension says ``record``. ``announcement`` is
    the WAV file that is played before, unless ``record`` names another one.
    """

    calls: Literal["all", "dialplan"] = "all"
    announcement: str | None = None


class CallRecording:
    """Plugs a recorder into the call's line, once the line is open and a recording is wanted.

    A call has one recording at most; ``path`` is where it lies once there is one, or will be.
    Everything here may be asked for at any time, and of a call that is not recorded.
    """

    def __init__(self, call_id: str, services: CallServices) -> None:
        self._call_id = call_id
        self._services = services
        self._line: Line | None = None
        self._recorder: CallRecorder | None = None
        self._wanted = self._ended = False
        self._kind: RecordingFormat | None = None
        self._announcing = self._paused = False
        self.path: Path | None = None
        self.paused_ms = 0

    @property
    def possible(self) -> bool:
        """Whether a recording can begin, or goes on already."""
        return self._services.open_recorder is not None and not self._ended

    @property
    def state(self) -> Literal["on", "paused", "off"]:
        if not self._wanted or self._ended:
            return "off"
        return "paused" if self._paused else "on"

    def opened(self, line: Line) -> None:
        """The call's line is open: what is recorded comes from there."""
        self._line = line
        self._plug()

    def begin(self, kind: RecordingFormat | None = None, *, announcing: bool = False) -> None:
        """Record from now on, or from the opening of the line on.

        While ``announcing`` the bot only: nothing of the caller is kept before :meth:`announced`.
        """
        if self._wanted or not self.possible:
            return
        self._wanted, self._kind, self._announcing = True, kind, announcing
        self._plug()

    def announced(self) -> None:
        """The caller has heard that they are recorded."""
        self._announcing = False
        self._keep()

    def pause(self) -> None:
        """Keep nothing of anybody; the time that passes is silence in the recording."""
        self._set_paused(True)

    def resume(self) -> None:
        self._set_paused(False)

    def _set_paused(self, paused: bool) -> None:
        if self._paused != paused and self.state != "off":
            log.info("recording.paused" if paused else "recording.resumed", call=self._call_id)
        self._paused = paused
        self._keep()

    def _keep(self) -> None:
        if self._recorder is not None:
            unpaused: Kept = "bot" if self._announcing else "both"
            self._recorder.keep("neither" if self._paused else unpaused)

    def _plug(self) -> None:
        open_recorder, line = self._services.open_recorder, self._line
        if open_recorder is None or line is None or not self._wanted or self._ended:
            return
        if self._recorder is None:
            recorder = open_recorder(self._call_id, line.format, line.ptime_ms, self._kind)
            self._recorder, self.path = recorder, recorder.path
            self._keep()
        line.record_with(self._recorder)

    async def close(self) -> None:
        """End the recording for good. Twice, or without one, is harmless."""
        self._ended = True
        recorder, self._recorder = self._recorder, None
        if recorder is None:
            return
        if self._line is not None:
            self._line.record_with(None)
        await recorder.close()
        self.paused_ms = recorder.paused_ms


def recorded(actions: Sequence[Action], rules: RecordingRules) -> tuple[Action, ...]:
    """Return an extension's actions with the ``record`` that the rules add to them, if any.

    It comes first, or where the caller can hear the announcement and the call is answered anyway.
    """
    told = [action.action for action in actions if isinstance(action, Record)]
    never = bool(actions) and actions[0] == Record("stop")
    if rules.calls != "all" or "start" in told or never:
        return tuple(actions)
    start = Record()
    if rules.announcement is None:
        return (start, *actions)
    early = False
    for index, action in enumerate(actions):
        early = early or isinstance(action, PreAnswer)
        if isinstance(action, Answer):
            return (*actions[: index + 1], start, *actions[index + 1 :])
        answers = isinstance(action, ConnectModel | TransferAction)
        if answers or (isinstance(action, Play) and not early):
            return (*actions[:index], start, *actions[index:])
    return tuple(actions)
