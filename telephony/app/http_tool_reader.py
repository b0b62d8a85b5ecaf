"""Reads the ``http`` tools of an agent's file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from telephony.app.agent_texts import TextReader
from telephony.app.embedded_secrets import EmbeddedSecrets
from telephony.app.model_reader import Report
from telephony.app.tool_parts import HttpPart
from telephony.base.errors import Problem
from telephony.base.located_yaml import Path as YamlPath
from telephony.net.http_tools import CONTEXT_VALUES, HttpToolConfig, HttpTools
from telephony.net.public_address import is_address, is_loopback, is_public
from telephony.realtime.http_call import HttpTemplate
from telephony.realtime.json_arguments import JsonArguments
from telephony.realtime.json_pick import JsonPath
from telephony.realtime.template import Template, TemplateName
from telephony.realtime.tools import Tool


class HttpToolReader:
    """Turns what the file says into tools; ``variables`` are the agent's own, by name."""

    def __init__(
        self,
        texts: TextReader,
        secrets: EmbeddedSecrets,
        report: Report,
        problems: list[Problem],
        variables: Collection[str],
        timeout_s: float,
    ) -> None:
        self._texts = texts
        self._secrets = secrets
        self._report = report
        self._problems = problems
        self._known = (*CONTEXT_VALUES, *variables)
        self._timeout_s = timeout_s
        self.tools = HttpTools()

    def read(self, part: HttpPart, path: YamlPath) -> Tool | None:
        """Return one tool, or None when there are mistakes in it."""
        found = len(self._problems)
        schema = {"type": "object", "properties": {}, **part.parameters}
        arguments = self._arguments(schema, (*path, "parameters"))
        request = None
        if self._place_is_good(part, path):
            request = self._request(part, path, schema)
        pick = self._pick(part.response.pick, (*path, "response", "pick"))
        if len(self._problems) > found or request is None or arguments is None:
            return None
        timeout_s = part.timeout_s or self._timeout_s
        self.tools.used = True
        config = HttpToolConfig(request, pick, part.response.max_bytes, timeout_s)
        host = urlsplit(part.url).hostname or ""
        if part.allow_private or is_loopback(host):
            self.tools.allow_private(host)
        return Tool(
            part.name,
            part.description,
            schema,
            partial(self.tools.run, config),
            timeout_s,
            arguments,
            approval=part.approval,
            filler=part.filler,
        )

    def _arguments(self, schema: Mapping[str, Any], path: YamlPath) -> JsonArguments | None:
        if schema["type"] != "object" or not isinstance(schema["properties"], dict):
            self._report(path, "the parameters of a tool are an object", "write type: object")
            return None
        for name in schema["properties"]:
            if name in self._known:
                message = f"the call has a value {name!r} already"
                place = (*path, "properties", name)
                self._report(place, message, "give the parameter another name", key=True)
        try:
            return JsonArguments({"additionalProperties": False, **schema})
        except ValueError as error:
            self._report(path, f"this is no JSON Schema: {error}", "")
            return None

    def _place_is_good(self, part: HttpPart, path: YamlPath) -> bool:
        """Tell whether scheme and host are fixed, and no place that only we can reach."""
        found = len(self._problems)
        place = (*path, "url")
        try:
            parts = urlsplit(part.url)
            host, _ = parts.hostname or "", parts.port
        except ValueError:
            parts, host = urlsplit(""), ""
        if parts.scheme not in ("https", "http") or not host or "{{" in parts.netloc:
            fix = "write https://host/path; {{names}} may stand in path and query only"
            self._report(place, "this is no URL of a server", fix)
        elif parts.username or parts.password:
            self._report(place, "a URL must not hold a secret", "use headers")
        elif parts.fragment or "#" in part.url:
            self._report(place, "a fragment is not sent to a server", "remove what follows #")
        elif parts.scheme == "http" and not (part.allow_http or is_loopback(host)):
            fix = "write https://, or allow_http: true"
            self._report(place, "what is sent there can be read on the way", fix)
        elif is_address(host) and not (is_public(host) or part.allow_private or is_loopback(host)):
            message = f"{host} is no public address"
            self._report(place, message, "write allow_private: true if that is meant")
        return len(self._problems) == found

    def _request(
        self, part: HttpPart, path: YamlPath, schema: Mapping[str, Any]
    ) -> HttpTemplate | None:
        properties = schema["properties"] if isinstance(schema["properties"], dict) else {}
        known = (*properties, *self._known)
        url = self._texts.read(part.url, (*path, "url"), known)
        if url is not None:
            self._check_required(url, schema, (*path, "url"))
        headers = self._secrets.read(part.headers, (*path, "headers"))
        query = None
        if part.query is not None:
            query = self._all(part.query, (*path, "query"), known)
        if part.body is not None and part.method in ("GET", "DELETE"):
            fix = "use query, or another method"
            self._report((*path, "body"), f"{part.method} has no body", fix, key=True)
        body = _map_texts(
            part.body, (*path, "body"), lambda text, at: self._texts.read(text, at, known)
        )
        if url is None:
            return None
        sent = self._all(headers, (*path, "headers"), known)
        return HttpTemplate(part.method, url, sent, query, body)

    def _all(
        self, texts: Mapping[str, str], path: YamlPath, known: Collection[str]
    ) -> dict[str, Template]:
        read = {name: self._texts.read(text, (*path, name), known) for name, text in texts.items()}
        return {name: template for name, template in read.items() if template is not None}

    def _check_required(self, url: Template, schema: Mapping[str, Any], path: YamlPath) -> None:
        """What stands in the path can't be left out."""
        required = schema.get("required")
        if not isinstance(required, list):
            required = []
        for part in url.parts:
            if isinstance(part, str) and "?" in part:
                return
            if not isinstance(part, TemplateName) or part.name in self._known:
                continue
            if part.name not in required:
                message = f"the path needs {part.name}, which the model may leave out"
                self._report(path, message, f"add it to parameters: required: [{part.name}]")

    def _pick(self, text: str | None, path: YamlPath) -> JsonPath | None:
        if text is None:
            return None
        try:
            return JsonPath.parse(text)
        except ValueError as error:
            message, _, fix = str(error).partition("\nfix: ")
            self._report(path, message, fix)
            return None


def _map_texts(node: Any, path: YamlPath, read: Callable[[str, YamlPath], Template | None]) -> Any:
    """Return the same with every text read as a template."""
    if isinstance(node, str):
        return read(node, path)
    if isinstance(node, dict):
        return {key: _map_texts(value, (*path, key), read) for key, value in node.items()}
    if isinstance(node, list):
        return [_map_texts(value, (*path, n), read) for n, value in enumerate(node)]
    return node
