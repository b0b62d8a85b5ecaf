"""``record``: record the call from here on, with an announcement first; pause, resume, stop."""

from __future__ import annotations

from telephony.calls.call import Call
from telephony.dialplan.actions import Record


async def run(call: Call, action: Record) -> None:
    recording = call.line.recording
    if action.action == "start":
        await _start(call, action)
    elif action.action == "pause":
        recording.pause()
    elif action.action == "resume":
        recording.resume()
    else:
        await recording.close()


async def _start(call: Call, action: Record) -> None:
    """Begin; nothing of the caller is kept before an announcement was heard.

    Without an announcement this answers nothing: a line that opens later is recorded from its
    first frame on. Where one can't be played, the call goes on and is not recorded.
    """
    recording = call.line.recording
    announcement = action.announcement or call.services.recording.announcement
    if announcement is None or not recording.possible:
        recording.begin(action.format)
        return
    recording.begin(action.format, announcing=True)
    try:
        await call.play(announcement)
    except (OSError, ValueError) as error:
        call.log.error("recording.not_announced", source=announcement, reason=str(error))
        await recording.close()
        return
    await call.let_be_heard()
    recording.announced()
