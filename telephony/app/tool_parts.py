"""What may stand in the list ``tools`` of an agent's file, besides the names of functions."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from telephony.app.settings_types import Line, PathText, PositiveSeconds, Section, named
from telephony.realtime.http_call import Method
from telephony.realtime.tools import Approval

_LETTERS = "write up to {} letters, digits, _ and -"
ToolName = Annotated[str, named(r"[a-zA-Z0-9_-]{1,64}", "name for a tool", _LETTERS.format(64))]
ServerName = Annotated[str, named(r"[a-zA-Z0-9_-]{1,32}", "name for a server", _LETTERS.format(32))]
HeaderName = Annotated[
    str,
    named(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}", "name of a header", "write one such as X-Shop"),
]
Text = Annotated[str, Field(max_length=4000)]
Hint = Annotated[str, Field(max_length=200)]


class FunctionPart(Section):
    """``function``: a Python function and how it is run."""

    name: Line
    timeout_s: PositiveSeconds | None = None
    approval: Approval = "never"
    filler: Hint = ""


class ResponsePart(Section):
    pick: Line | None = None
    max_bytes: Annotated[int, Field(ge=1, le=1_000_000)] = 16_384


class HttpPart(Section):
    """``http``: a request to a server."""

    name: ToolName
    url: Line
    description: Text = ""
    method: Method = "GET"
    headers: dict[HeaderName, Text] = Field(default_factory=dict)
    query: dict[str, Text] | None = None
    body: Any = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    response: ResponsePart = Field(default_factory=ResponsePart)
    timeout_s: PositiveSeconds | None = None
    approval: Approval = "never"
    filler: Hint = ""
    allow_http: bool = False
    allow_private: bool = False


class McpToolPart(Section):
    timeout_s: PositiveSeconds | None = None
    approval: Approval | None = None
    filler: Hint = ""


def _by_name(value: object) -> object:
    """A list of names stands for names without wishes."""
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return dict.fromkeys(value)
    return value


class McpPart(Section):
    """``mcp``: a server with tools of its own."""

    name: ServerName
    command: Annotated[list[Line], Field(min_length=1)] | None = None
    env: dict[Line, Text] = Field(default_factory=dict)
    cwd: PathText | None = None
    url: Line | None = None
    headers: dict[HeaderName, Text] = Field(default_factory=dict)
    allow_http: bool = False
    tools: Annotated[dict[Line, McpToolPart | None], BeforeValidator(_by_name)] | None = None
    timeout_s: PositiveSeconds | None = None
    connect_timeout_s: PositiveSeconds = 10.0
    approval: Approval = "never"
