"""The session of a hosted call: what the native path would ask for, without formats of audio.

It is taken from the first message that the model's own dialect sends, so both ways configure a
model alike. SIP negotiates the format between the caller's side and the provider.
"""

from __future__ import annotations

from typing import Any, Final

from telephony.audio.format import PCMU
from telephony.base.ids import Ids
from telephony.realtime.dialect import Brief, RealtimeModel
from telephony.realtime.hosted.incoming import Surface
from telephony.realtime.session_config import SessionConfig
from telephony.realtime.wire import JsonObject, object_of, parse_object

HOSTED_APIS: Final[dict[str, Surface]] = {
    "openai_realtime": "realtime",
    "azure_openai": "realtime",
    "openai_live": "live",
    "azure_openai_live": "live",
}
"""Which API accepts the calls of a model, by the name of the model's API."""


def opening(model: RealtimeModel, brief: Brief, ids: Ids) -> JsonObject:
    """Return the first message of a new session with ``model``; {} when it sends none."""
    dialect = model.new_dialect(brief, PCMU, "auto", ids)
    dialect.connection_made(0.0)
    for message in dialect.messages_to_send():
        if isinstance(message, str | bytes | bytearray):
            return parse_object(message) or {}
    return {}


def session_of(model: RealtimeModel, brief: Brief, ids: Ids) -> JsonObject:
    """Return the session with which a call is accepted.

    Raises ValueError for a model whose calls OpenAI does not answer.
    """
    surface = HOSTED_APIS.get(model.api)
    if surface is None:
        raise ValueError(f"OpenAI does not answer calls for {model.api}")
    session: dict[str, Any] = dict(object_of(opening(model, brief, ids), "session"))
    session["type"] = surface
    session["model"] = model.model
    audio = without_formats(object_of(session, "audio"))
    session.pop("audio", None)
    return {**session, "audio": audio} if audio else session


def without_formats(audio: JsonObject) -> JsonObject:
    """Return ``audio`` of a session without its formats, in the shape of either API."""
    kept: JsonObject = {}
    for key, part in audio.items():
        if key == "format":
            continue
        kept[key] = _without_format(part) if isinstance(part, dict) else part
    return kept


def _without_format(part: JsonObject) -> JsonObject:
    return {key: value for key, value in part.items() if key != "format"}


def held(session: JsonObject) -> JsonObject:
    """Return a session of Realtime that answers nobody until it is told to."""
    audio = object_of(session, "audio")
    heard = object_of(audio, "input")
    detection = object_of(heard, "turn_detection")
    if not detection:
        return session
    heard = {**heard, "turn_detection": {**detection, "create_response": False}}
    return {**session, "audio": {**audio, "input": heard}}


def change_of(config: SessionConfig) -> JsonObject:
    """Return what of a session of Realtime may still change while its call goes on.

    All but the model, the voice once it was heard, the formats, and tracing once it is on.
    """
    update: JsonObject = config.to_session_update(PCMU, PCMU)
    audio = without_formats(object_of(update, "audio"))
    output = {key: value for key, value in object_of(audio, "output").items() if key != "voice"}
    heard = {"input": object_of(audio, "input"), **({"output": output} if output else {})}
    kept = {key: value for key, value in update.items() if key not in ("audio", "tracing")}
    return {**kept, "audio": heard}


def mute_session(model: str) -> JsonObject:
    """Return a session of Realtime that says nothing: for a call that is only sent on."""
    return {"type": "realtime", "model": model, "audio": {"input": {"turn_detection": None}}}
