"""From what a model wrote to one HTTP request.

Everything is a template (:mod:`telephony.realtime.template`) for the tool's arguments and the
values of the call. Scheme, host and port of the URL are fixed; a value in the path or the query is
percent-encoded (RFC 3986), so that it stays in its place.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote

from telephony.realtime.template import Template, TemplateName, plain_text

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

_WITH_BODY = ("POST", "PUT", "PATCH")


@dataclass(frozen=True, slots=True)
class HttpCall:
    """A request that is ready to be made."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class HttpTemplate:
    """What a tool requests.

    ``url`` begins with scheme and authority, without places for values. ``query`` and ``body``
    None take the arguments that are used nowhere else: the body where the method has one, else
    the query. In the body a text that is one place only stands for the value itself.
    """

    method: Method
    url: Template
    headers: Mapping[str, Template] = field(default_factory=dict, repr=False)
    query: Mapping[str, Template] | None = None
    body: Any = None

    @property
    def names(self) -> Iterator[TemplateName]:
        """Yield every name used."""
        yield from self.url.names
        for template in (*self.headers.values(), *(self.query or {}).values()):
            yield from template.names
        yield from _names_in(self.body)

    def build(self, arguments: Mapping[str, Any], values: Mapping[str, str]) -> HttpCall:
        """Return the request; raises ValueError for a value that can't stand where it is put."""
        texts = {**values, **{name: _text(value) for name, value in arguments.items()}}
        used = {name.name for name in self.names}
        rest = {name: value for name, value in arguments.items() if name not in used}
        has_body = self.method in _WITH_BODY
        query = _render_all(self.query or {}, texts, arguments, values)
        if self.query is None and (not has_body or self.body is not None):
            query |= rest
        headers = {name: template.render(texts) for name, template in self.headers.items()}
        body = None
        if has_body:
            content = rest if self.body is None else _fill(self.body, arguments, texts)
            body = json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")
            headers.setdefault("Content-Type", "application/json")
        return HttpCall(self.method, self._url(texts) + self._query(query), headers, body)

    def _url(self, texts: Mapping[str, str]) -> str:
        out = ""
        for part in self.url.parts:
            if isinstance(part, str):
                out += part
                continue
            value = plain_text(texts.get(part.name, ""))
            if not value and "?" not in out:
                raise ValueError(f"{part.name} must not be empty")
            out += quote(value, safe="")
        path = out.partition("?")[0].partition("://")[2]
        if any(segment in (".", "..") for segment in path.split("/")):
            # It would name another place than the one meant (RFC 3986 section 5.2.4).
            raise ValueError("a part of the path must not be . or ..")
        return out

    def _query(self, query: Mapping[str, Any]) -> str:
        pairs = [
            f"{quote(name, safe='')}={quote(plain_text(_text(value)), safe='')}"
            for name, given in query.items()
            for value in (given if isinstance(given, list) else [given])
        ]
        if not pairs:
            return ""
        literal = "".join(part for part in self.url.parts if isinstance(part, str))
        return ("&" if "?" in literal else "?") + "&".join(pairs)


def _render_all(
    templates: Mapping[str, Template],
    texts: Mapping[str, str],
    arguments: Mapping[str, Any],
    values: Mapping[str, str],
) -> dict[str, Any]:
    """Return the query; a parameter whose only value was not given is left out."""
    out: dict[str, Any] = {}
    for key, template in templates.items():
        name = _only_name(template)
        if name is None:
            out[key] = template.render(texts)
        elif name in arguments:
            out[key] = arguments[name]
        elif name in values:
            out[key] = values[name]
    return out


def _only_name(template: Template) -> str | None:
    if len(template.parts) == 1 and isinstance(template.parts[0], TemplateName):
        return template.parts[0].name
    return None


def _fill(node: Any, arguments: Mapping[str, Any], texts: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {
            key: _fill(value, arguments, texts)
            for key, value in node.items()
            if not _is_absent(value, texts)
        }
    if isinstance(node, list):
        return [_fill(value, arguments, texts) for value in node]
    if not isinstance(node, Template):
        return node
    name = _only_name(node)
    if name is not None and name in arguments:
        return arguments[name]
    return node.render(texts)


def _is_absent(node: Any, texts: Mapping[str, str]) -> bool:
    """Whether a node is the place of an argument that was not given."""
    name = _only_name(node) if isinstance(node, Template) else None
    return name is not None and name not in texts


def _names_in(node: Any) -> Iterator[TemplateName]:
    if isinstance(node, Template):
        yield from node.names
    elif isinstance(node, dict):
        for value in node.values():
            yield from _names_in(value)
    elif isinstance(node, list):
        for value in node:
            yield from _names_in(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
