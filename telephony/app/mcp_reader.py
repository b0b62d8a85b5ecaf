"""Reads the ``mcp`` servers of an agent's file."""

from __future__ import annotations

import importlib.util
import os
import shutil
from urllib.parse import urlsplit

from telephony.app.embedded_secrets import EmbeddedSecrets
from telephony.app.model_reader import Report
from telephony.app.tool_parts import McpPart, McpToolPart
from telephony.base.errors import Problem
from telephony.base.ids import Ids
from telephony.base.located_yaml import Path as YamlPath
from telephony.net.mcp_server import McpServer, McpServerConfig, McpToolConfig
from telephony.net.public_address import is_loopback


class McpReader:
    """Turns what the file says into servers that are not connected yet."""

    def __init__(
        self,
        secrets: EmbeddedSecrets,
        report: Report,
        problems: list[Problem],
        timeout_s: float,
    ) -> None:
        self._secrets = secrets
        self._report = report
        self._problems = problems
        self._timeout_s = timeout_s

    def read(self, part: McpPart, path: YamlPath) -> McpServer | None:
        """Return one server, or None when there are mistakes."""
        found = len(self._problems)
        if importlib.util.find_spec("mcp") is None:
            fix = "pip install 'telephony-voice-bot[mcp]'"
            self._report(path, "the package mcp is not installed", fix, key=True)
        if (part.command is None) == (part.url is None):
            fix = "write command: [program, argument], or url: https://..."
            self._report(path, "a server is either a program or a URL", fix, key=True)
        elif part.command is not None:
            self._check_command(part, path)
        else:
            self._check_url(part, (*path, "url"))
        env = self._secrets.read(part.env, (*path, "env"))
        headers = self._secrets.read(part.headers, (*path, "headers"))
        if len(self._problems) > found:
            return None
        tools = part.tools or {}
        config = McpServerConfig(
            name=part.name,
            command=tuple(part.command or ()),
            env=env,
            secrets=self._secrets.values_in(part.env),
            cwd=part.cwd,
            url=part.url or "",
            headers=headers,
            allowed=None if part.tools is None else tuple(part.tools),
            tools={name: _tool_config(tool) for name, tool in tools.items()},
            timeout_s=part.timeout_s or self._timeout_s,
            approval=part.approval,
            connect_timeout_s=part.connect_timeout_s,
        )
        return McpServer(config, Ids(os.urandom))

    def _check_command(self, part: McpPart, path: YamlPath) -> None:
        program = (part.command or [""])[0]
        if shutil.which(program, path=os.environ.get("PATH")) is None:
            message = f"there is no program {program!r}"
            self._report((*path, "command"), message, "install it, or write its whole path")
        if part.headers:
            fix = "remove it; a program takes env"
            self._report((*path, "headers"), "a program takes no headers", fix, key=True)

    def _check_url(self, part: McpPart, path: YamlPath) -> None:
        try:
            parts = urlsplit(part.url or "")
            host = parts.hostname or ""
        except ValueError:
            parts, host = urlsplit(""), ""
        if parts.scheme not in ("https", "http") or not host:
            self._report(path, "this is no URL of a server", "write https://host/mcp")
        elif parts.username or parts.password:
            self._report(path, "a URL must not hold a secret", "use headers")
        elif parts.scheme == "http" and not (part.allow_http or is_loopback(host)):
            fix = "write https://, or allow_http: true"
            self._report(path, "what is sent there can be read on the way", fix)


def _tool_config(part: McpToolPart | None) -> McpToolConfig:
    if part is None:
        return McpToolConfig()
    return McpToolConfig(part.timeout_s, part.approval, part.filler)
