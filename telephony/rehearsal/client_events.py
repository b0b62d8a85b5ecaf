"""Client events: their shape, and the error the API has for every way to get it wrong."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from telephony.rehearsal.outbox import ClientError, Wire
from telephony.rehearsal.session_fields import Fields, ResponseFields

_Model = TypeVar("_Model", bound=BaseModel)


class _Event(Fields):
    event_id: str | None = Field(None, max_length=512)


class SessionUpdate(_Event):
    type: Literal["session.update"]
    session: dict[str, Any]


class Commit(_Event):
    type: Literal["input_audio_buffer.commit"]


class Clear(_Event):
    type: Literal["input_audio_buffer.clear"]


class TextPart(Fields):
    type: Literal["input_text", "output_text"]
    text: str


class AudioPart(Fields):
    type: Literal["input_audio", "output_audio"]
    audio: str | None = None
    transcript: str | None = None


class ImagePart(Fields):
    type: Literal["input_image"]
    image_url: str
    detail: Literal["auto", "low", "high"] = "auto"


class _NewItem(Fields):
    id: str | None = Field(None, min_length=1, max_length=64)
    object: Literal["realtime.item"] = "realtime.item"
    status: Literal["completed", "incomplete", "in_progress"] | None = None


class MessageItem(_NewItem):
    type: Literal["message"]
    role: Literal["system", "user", "assistant"]
    content: list[Annotated[TextPart | AudioPart | ImagePart, Field(discriminator="type")]]


class FunctionCallItem(_NewItem):
    type: Literal["function_call"]
    name: str
    call_id: str | None = None
    arguments: str


class FunctionOutputItem(_NewItem):
    type: Literal["function_call_output"]
    call_id: str
    output: str


class ApprovalItem(Fields):
    id: str = Field(min_length=1, max_length=64)
    type: Literal["mcp_approval_response"]
    approval_request_id: str
    approve: bool
    reason: str | None = None


NewItem = MessageItem | FunctionCallItem | FunctionOutputItem | ApprovalItem
_AnyItem = Annotated[NewItem, Field(discriminator="type")]


class ItemCreate(_Event):
    type: Literal["conversation.item.create"]
    previous_item_id: str | None = None
    item: _AnyItem


class ItemRetrieve(_Event):
    type: Literal["conversation.item.retrieve"]
    item_id: str


class ItemDelete(_Event):
    type: Literal["conversation.item.delete"]
    item_id: str


class ItemTruncate(_Event):
    type: Literal["conversation.item.truncate"]
    item_id: str
    content_index: int = Field(ge=0)
    audio_end_ms: int = Field(ge=0)


class ResponseCreate(_Event):
    type: Literal["response.create"]
    response: ResponseFields | None = None


class ResponseCancel(_Event):
    type: Literal["response.cancel"]
    response_id: str | None = None


ClientEvent = Annotated[
    SessionUpdate
    | Commit
    | Clear
    | ItemCreate
    | ItemRetrieve
    | ItemDelete
    | ItemTruncate
    | ResponseCreate
    | ResponseCancel,
    Field(discriminator="type"),
]

_CLIENT_EVENT: TypeAdapter[Any] = TypeAdapter(ClientEvent)
_NEW_ITEM: TypeAdapter[Any] = TypeAdapter(_AnyItem)


def parse_client_event(message: Wire) -> Any:
    """Return the event model; raise ClientError with code and param as the API has them."""
    try:
        return _CLIENT_EVENT.validate_python(message)
    except ValidationError as error:
        refusal = _client_error(error, message)
    if refusal.param == "type":
        raise ClientError("invalid_event", str(refusal), "type")
    raise refusal


def parse_new_item(item: Wire) -> NewItem:
    """Return one item of ``response.create``'s ``input``; raise ClientError."""
    try:
        parsed: NewItem = _NEW_ITEM.validate_python(item)
    except ValidationError as error:
        raise _client_error(error, item) from None
    return parsed


def strictly(model: type[_Model], value: Any, at: str = "") -> _Model:
    """Return ``value``, which stands at the path ``at``, as ``model``, or raise ClientError."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise _client_error(error, value, at) from None


def _client_error(error: ValidationError, value: Any, at: str = "") -> ClientError:
    details = error.errors(include_url=False)[0]
    kind = details["type"]
    param = _param(details, value)
    if at:
        param = f"{at}.{param}" if param else at
    if kind == "extra_forbidden":
        return ClientError("unknown_parameter", f"Unknown parameter: '{param}'.", param)
    if kind in ("missing", "union_tag_not_found"):
        text = f"Missing required parameter: '{param}'."
        return ClientError("missing_required_parameter", text, param)
    if kind.endswith("_type"):
        text = f"Invalid type for '{param}': {details['msg']}."
        return ClientError("invalid_type", text, param)
    return ClientError("invalid_value", f"Invalid value for '{param}': {details['msg']}.", param)


def _param(details: ErrorDetails, value: Any) -> str:
    """Return the path of an error as the API writes it: ``session.tools[0].name``.

    pydantic's path also names the branches of unions: those are the ``type`` of the object at
    hand, or not in the data at all.
    """
    path = ""
    steps = details["loc"]
    branched: Any = None
    for index, step in enumerate(steps):
        if isinstance(step, int):
            path += f"[{step}]"
            value = value[step] if isinstance(value, list) and step < len(value) else None
        elif isinstance(value, dict) and step == value.get("type") and branched is not value:
            branched = value
        elif isinstance(value, dict) and step in value:
            path += f".{step}" if path else step
            value = value[step]
        elif details["type"] == "missing" and index == len(steps) - 1:
            path += f".{step}" if path else step
    if details["type"].startswith("union_tag"):
        path += ".type" if path else "type"
    return path
