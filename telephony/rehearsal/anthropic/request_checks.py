"""What the API refuses, and in which words."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from telephony.rehearsal.anthropic.request_fields import (
    MessagesRequest,
    TextBlock,
    ToolResultBlock,
    ToolUseBlock,
    UserMessage,
)

VERSIONS = ("2023-06-01", "2026-10-21")
_SAMPLING = ("temperature", "top_p", "top_k")
_MAX_BREAKPOINTS = 4

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """An HTTP error of the API."""

    status: int
    message: str

    @property
    def type(self) -> str:
        return ERROR_TYPES.get(self.status, "api_error")

    def to_wire(self, request_id: str) -> dict[str, Any]:
        error = {"type": self.type, "message": self.message}
        return {"type": "error", "error": error, "request_id": request_id}


def refused_key(headers: Mapping[str, str], api_key: str | None) -> Refusal | None:
    """Look for the key in both places; ``api_key`` None takes any, and none."""
    if api_key is None:
        return None
    given = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
    if not given:
        return Refusal(401, "x-api-key header is required")
    if not hmac.compare_digest(given.encode(), api_key.encode()):
        return Refusal(401, "invalid x-api-key")
    return None


def read_request(body: Any, version: str | None) -> MessagesRequest | Refusal:
    """Return the request in ``body``, or why it is refused."""
    if version is None:
        return Refusal(400, "anthropic-version: header is required")
    if version not in VERSIONS:
        return Refusal(400, f'anthropic-version: "{version}" is not a valid version')
    try:
        request = MessagesRequest.model_validate(body)
    except ValidationError as error:
        return Refusal(400, _first_problem(error))
    if not request.model.startswith("claude-"):
        return Refusal(404, f"model: {request.model}")
    problem = (
        _sampling_problem(request, version)
        or _order_problem(request)
        or _content_problem(request, version)
        or _tool_problem(request)
        or _cache_problem(request)
    )
    return Refusal(400, problem) if problem else request


def _first_problem(error: ValidationError) -> str:
    details = error.errors(include_url=False)[0]
    kind, place = details["type"], ".".join(str(part) for part in details["loc"])
    message = "Extra inputs are not permitted" if kind == "extra_forbidden" else details["msg"]
    return f"{place}: {message}"


def _sampling_problem(request: MessagesRequest, version: str) -> str:
    for name in _SAMPLING:
        if version != VERSIONS[0] and getattr(request, name) is not None:
            return f"{name}: not supported in version {version}"
    return ""


def _order_problem(request: MessagesRequest) -> str:
    """Stricter than the API, which joins messages of one role: ours are to be in turn."""
    for index, message in enumerate(request.messages):
        if message.role != ("user", "assistant")[index % 2]:
            expected = "user" if index % 2 == 0 else "assistant"
            return f"messages.{index}: role is {message.role}; {expected} expected, in turn"
    if request.messages[-1].role == "assistant":
        return "This model does not support assistant message prefill."
    return ""


def _content_problem(request: MessagesRequest, version: str) -> str:
    for index, message in enumerate(request.messages):
        if not message.content:
            return f"messages.{index}: all messages must have non-empty content"
        for at, block in enumerate(message.content if isinstance(message.content, list) else ()):
            if not isinstance(block, TextBlock):
                continue
            if not block.text.strip():
                return "messages: text content blocks must contain non-whitespace text"
            if block.citations and message.role == "user" and version != VERSIONS[0]:
                return f"messages.{index}.content.{at}.citations: must be empty"
    return ""


def _tool_problem(request: MessagesRequest) -> str:
    names = [tool.name for tool in request.tools]
    if len(set(names)) != len(names):
        return "tools: Tool names must be unique."
    choice = request.tool_choice
    if choice is not None and not names:
        return "tool_choice may only be specified while providing tools."
    if choice is not None and choice.type == "tool" and choice.name not in names:
        return f"tool_choice: Tool '{choice.name}' not found in provided tools"
    asked: list[str] = []
    for index, message in enumerate(request.messages):
        blocks = message.content if isinstance(message.content, list) else []
        if isinstance(message, UserMessage):
            problem = _result_problem(index, blocks, asked)
            if problem:
                return problem
            asked = []
        else:
            asked = [block.id for block in blocks if isinstance(block, ToolUseBlock)]
        if asked and not names:
            return "Requests which include `tool_use` or `tool_result` blocks must define tools"
    return ""


def _result_problem(index: int, blocks: Any, asked: list[str]) -> str:
    """Each result at the head of the message after its call, once, and nothing else."""
    results = [block.tool_use_id for block in blocks if isinstance(block, ToolResultBlock)]
    head = [
        block.tool_use_id for block in blocks[: len(results)] if isinstance(block, ToolResultBlock)
    ]
    if head != results:
        return f"messages.{index}: `tool_result` blocks must come first in the message"
    missing = [call_id for call_id in asked if call_id not in results]
    if missing:
        return (
            f"messages.{index - 1}: `tool_use` ids were found without `tool_result` blocks"
            f" immediately after: {', '.join(missing)}"
        )
    if len(set(results)) != len(results) or any(result not in asked for result in results):
        return f"messages.{index}: unexpected `tool_use_id` found in `tool_result` blocks"
    return ""


def _cache_problem(request: MessagesRequest) -> str:
    blocks: list[Any] = [request, *request.tools]
    blocks += request.system if isinstance(request.system, list) else []
    for message in request.messages:
        blocks += message.content if isinstance(message.content, list) else []
    points = sum(getattr(block, "cache_control", None) is not None for block in blocks)
    if points > _MAX_BREAKPOINTS:
        return f"A maximum of 4 blocks with cache_control may be provided. Found {points}."
    return ""
