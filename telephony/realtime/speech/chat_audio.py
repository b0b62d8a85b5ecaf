"""Chat Completions with audio parts: speech to text, and summaries of it, after a call.

A message's ``input_audio`` part holds base64 of a WAV file. Too slow for a call that goes on.
"""

from __future__ import annotations

import binascii

from telephony.realtime.wire import JsonObject, object_of, objects_of, parse_object, text_of

_TRANSCRIBE = (
    "Write down what is said in this recording of one side of a telephone call, word for word, "
    "and nothing else. Write nothing at all when nobody speaks."
)
_SUMMARISE = (
    "This is the transcript of a telephone call between a caller and a bot, or a message left on "
    "voicemail. Sum it up in a few sentences: who called, what they wanted, what was said or done, "
    "and what is still to be done. Write in the language of the call."
)


def transcription_body(model: str, wav: bytes, language: str | None) -> JsonObject:
    """Return the request for the text of a WAV file."""
    asked = _TRANSCRIBE if language is None else f"{_TRANSCRIBE} The language is {language}."
    data = binascii.b2a_base64(wav, newline=False).decode("ascii")
    audio = {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}
    content = [{"type": "text", "text": asked}, audio]
    messages = [{"role": "user", "content": content}]
    return {"model": model, "modalities": ["text"], "messages": messages}


def summary_body(model: str, dialogue: str) -> JsonObject:
    """Return the request for a summary of what was said."""
    messages = [
        {"role": "developer", "content": _SUMMARISE},
        {"role": "user", "content": dialogue},
    ]
    return {"model": model, "messages": messages}


def answer_text(body: bytes) -> str | None:
    """Return the text of a completion; None when it is none."""
    answer = parse_object(body)
    choices = objects_of(answer or {}, "choices")
    if not choices:
        return None
    message = object_of(choices[0], "message")
    content = message.get("content")
    if content is None:
        return ""
    return text_of(message, "content").strip() if isinstance(content, str) else None
