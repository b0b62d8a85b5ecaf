"""What a Messages request is about, in the words of a scenario."""

from __future__ import annotations

import re
from dataclasses import dataclass

from telephony.rehearsal.anthropic.request_fields import (
    MessagesRequest,
    TextBlock,
    ToolResultBlock,
    ToolUseBlock,
    UserMessage,
)
from telephony.rehearsal.script import Stimulus

_NOTE = re.compile(r"<system_note>(.*?)</system_note>", re.DOTALL)
_LATE_RESULT = re.compile(r"Result of the tool (\S+):")
_KEYPAD = "The caller pressed"


@dataclass(frozen=True, slots=True)
class Occasion:
    """``note`` is what the telephone system says besides; ``words`` are the caller's last."""

    stimulus: Stimulus
    note: str = ""
    words: str = ""


def occasion_of(request: MessagesRequest) -> Occasion:
    """Look at the last message: words of the caller, the output of a tool, or only a note."""
    words, note = _split(request.messages[-1])
    spoken = [text for text, _ in map(_split, request.messages) if text]
    turn = len(spoken)
    last = spoken[-1] if spoken else ""
    if words:
        typed = words.startswith(_KEYPAD)
        return Occasion(Stimulus("text" if typed else "speech", turn, words), note, last)
    tool = _answered_tool(request) or next(iter(_LATE_RESULT.findall(note)), "")
    if tool:
        return Occasion(Stimulus("tool", turn, tool=tool), note, last)
    if len(request.messages) == 1:
        return Occasion(Stimulus("greeting"), note, last)
    return Occasion(Stimulus("nudge", turn), note, last)


def _split(message: object) -> tuple[str, str]:
    """Return the caller's words in a message, and the notes."""
    if not isinstance(message, UserMessage):
        return "", ""
    if isinstance(message.content, str):
        text = message.content
    else:
        text = "\n".join(b.text for b in message.content if isinstance(b, TextBlock))
    return _NOTE.sub("", text).strip(), "\n".join(_NOTE.findall(text))


def _answered_tool(request: MessagesRequest) -> str:
    """Return the name of the first tool whose output the last message brings."""
    last = request.messages[-1].content
    results = [b.tool_use_id for b in last if isinstance(b, ToolResultBlock)]
    for message in request.messages[-2:-1]:
        for block in message.content:
            if isinstance(block, ToolUseBlock) and block.id in results:
                return block.name
    return ""
