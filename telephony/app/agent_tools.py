"""The ``tools`` of an agent's file: functions, HTTP requests, and the tools of MCP servers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from telephony.app.agent_texts import TextReader
from telephony.app.embedded_secrets import EmbeddedSecrets
from telephony.app.http_tool_reader import HttpToolReader
from telephony.app.mcp_reader import McpReader
from telephony.app.model_reader import Report
from telephony.app.settings_types import Section
from telephony.app.tool_functions import load_tool
from telephony.app.tool_parts import FunctionPart, HttpPart, McpPart
from telephony.base.errors import LocalProtocolError, Problem
from telephony.base.located_yaml import Path as YamlPath
from telephony.base.schema_problems import did_you_mean
from telephony.calls.built_in_tools import BUILT_IN_NAMES
from telephony.calls.digits_tool import SEND_DIGITS
from telephony.calls.goodbye import HANGUP
from telephony.calls.recording_tool import RECORDING_TOOLS
from telephony.realtime.approvals import CONFIRM_ACTION
from telephony.realtime.tools import Tool, ToolRegistry

NAMED_TOOLS = (HANGUP, SEND_DIGITS, *RECORDING_TOOLS)
"""The built-in tools that an agent has when its file names them."""

_PARTS: Mapping[str, type[Section]] = {
    "function": FunctionPart,
    "http": HttpPart,
    "mcp": McpPart,
}

Validate = Callable[[type[Any], Any, YamlPath], Any]
"""Returns data in the form of a schema, or None after its mistakes were reported."""


class ToolsReader:
    """Turns the list into a registry; every mistake is reported where it stands."""

    def __init__(
        self,
        texts: TextReader,
        secrets: EmbeddedSecrets,
        report: Report,
        problems: list[Problem],
        validate: Validate,
        variables: Collection[str],
        timeout_s: float,
    ) -> None:
        self._report = report
        self._validate = validate
        self._timeout_s = timeout_s
        self._http = HttpToolReader(texts, secrets, report, problems, variables, timeout_s)
        self._mcp = McpReader(secrets, report, problems, timeout_s)
        self._registry = ToolRegistry()

    def read(self, items: list[Any]) -> ToolRegistry:
        for number, item in enumerate(items):
            self._read_item(item, ("tools", number))
        if self._http.tools.used:
            self._registry.attach(self._http.tools)
        if any(tool.approval == "caller" for tool in self._registry):
            self._check_confirmation()
        return self._registry

    def _read_item(self, item: Any, path: YamlPath) -> None:
        if isinstance(item, str):
            if item not in NAMED_TOOLS:
                self._add_function(FunctionPart(name=item), path, path)
            return
        kind = str(next(iter(item))) if isinstance(item, dict) and len(item) == 1 else ""
        if kind not in _PARTS:
            known = ", ".join(f"{name}: {{...}}" for name in _PARTS)
            fix = f"write package.module:function, {', '.join(NAMED_TOOLS)}, or one of {known}"
            if kind:
                fix = did_you_mean(kind, _PARTS)
            self._report(path, "this is no tool", fix)
            return
        path = (*path, kind)
        part = self._validate(_PARTS[kind], item[kind], path)
        if isinstance(part, FunctionPart):
            self._add_function(part, path, (*path, "name"))
        elif isinstance(part, HttpPart):
            tool = self._http.read(part, path)
            if tool is not None:
                self._add(tool, (*path, "name"))
        elif isinstance(part, McpPart):
            self._add_server(part, path)

    def _add_function(self, part: FunctionPart, path: YamlPath, at: YamlPath) -> None:
        try:
            tool = load_tool(part.name, part.timeout_s or self._timeout_s)
        except ValueError as error:
            message, _, fix = str(error).partition("\nfix: ")
            self._report(at, message, fix)
            return
        self._add(replace(tool, approval=part.approval, filler=part.filler), at)

    def _add(self, tool: Tool, path: YamlPath) -> None:
        try:
            self._registry.add(tool)
        except LocalProtocolError as error:
            self._report(path, str(error), "")

    def _add_server(self, part: McpPart, path: YamlPath) -> None:
        if any(source.name == part.name for source in self._registry.sources):
            message = f"there are two servers named {part.name!r}"
            self._report((*path, "name"), message, "give it a name of its own")
            return
        server = self._mcp.read(part, path)
        if server is not None:
            self._registry.attach(server, BUILT_IN_NAMES)

    def _check_confirmation(self) -> None:
        if CONFIRM_ACTION in self._registry:
            message = f"a tool of that name takes the place of our {CONFIRM_ACTION}"
            self._report(("tools",), message, "call it something else, as a tool needs approval")
