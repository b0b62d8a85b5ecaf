"""Conversation items as clients write them, and what the newest of them asks for."""

from __future__ import annotations

import binascii
from collections.abc import Callable, Sequence

from telephony.audio.format import AudioFormat
from telephony.rehearsal.client_events import (
    ApprovalItem,
    AudioPart,
    FunctionCallItem,
    ImagePart,
    MessageItem,
    NewItem,
    TextPart,
)
from telephony.rehearsal.conversation import Item, Part
from telephony.rehearsal.outbox import ClientError
from telephony.rehearsal.script import Stimulus

# What a client may put into a message of each role; model audio cannot be replayed.
_CONTENT_OF_ROLE = {
    "system": ("input_text",),
    "user": ("input_text", "input_audio", "input_image"),
    "assistant": ("output_text",),
}

_SILENT_KINDS = ("mcp_list_tools", "mcp_approval_request", "mcp_approval_response")


def item_from_client(
    new: NewItem,
    audio_format: AudioFormat,
    new_token: Callable[[], str],
) -> Item:
    """Build the item; raise ClientError for content its role cannot have."""
    item = Item(new.id or f"item_{new_token()}", new.type)
    if isinstance(new, MessageItem):
        item.role = new.role
        item.content = [
            _part(content, new.role, index, audio_format)
            for index, content in enumerate(new.content)
        ]
    elif isinstance(new, FunctionCallItem):
        item.name, item.arguments = new.name, new.arguments
        item.call_id = new.call_id or f"call_{new_token()}"
    elif isinstance(new, ApprovalItem):
        item.extra = new.model_dump(include={"approval_request_id", "approve", "reason"})
    else:
        item.call_id, item.output = new.call_id, new.output
    return item


def _part(
    content: TextPart | AudioPart | ImagePart, role: str, index: int, audio_format: AudioFormat
) -> Part:
    if content.type not in _CONTENT_OF_ROLE[role]:
        allowed = ", ".join(_CONTENT_OF_ROLE[role])
        text = f"Invalid value: '{content.type}'. Content of {role} messages can be: {allowed}."
        raise ClientError("invalid_value", text, f"item.content[{index}].type")
    if isinstance(content, TextPart):
        return Part(content.type, text=content.text)
    if isinstance(content, ImagePart):
        return Part(content.type, image_url=content.image_url)
    try:
        audio = binascii.a2b_base64((content.audio or "").encode("ascii"), strict_mode=True)
    except ValueError as error:
        param = f"item.content[{index}].audio"
        raise ClientError("invalid_value", f"'audio' is not base64: {error}", param) from None
    return Part(
        "input_audio",
        text=content.transcript or "",
        audio=audio,
        audio_ms=audio_format.duration_ms(len(audio)),
        audio_format=audio_format,
    )


def stimulus_of(items: Sequence[Item]) -> Stimulus:
    """Return what a response to ``items`` answers: the newest thing that is not the model's."""
    spoken = [item for item in items if item.role != "system" and item.kind not in _SILENT_KINDS]
    if not spoken:
        return Stimulus("greeting")
    last = spoken[-1]
    turn = sum(1 for item in spoken if item.role == "user")
    if last.kind == "mcp_call":
        said = last.extra.get("output") or last.extra.get("error", {}).get("message", "")
        return Stimulus("tool", turn, said, last.extra["name"])
    if last.kind == "function_call_output":
        names = [item.name for item in spoken if item.call_id == last.call_id and item.name]
        return Stimulus("tool", turn, last.output, names[0] if names else "")
    if last.role != "user":
        return Stimulus("nudge", turn)
    typed = all(part.kind != "input_audio" for part in last.content)
    return Stimulus("text" if typed else "speech", turn, last.text)
