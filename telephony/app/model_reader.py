"""Reads the models of an agent's file: the one it begins with and those that take over."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Protocol
from urllib.parse import urlsplit

from pydantic import Field

from telephony.app.model_apis import MODEL_APIS, OPENAI_REALTIME, ModelApi
from telephony.app.model_apis import REHEARSAL as REHEARSAL
from telephony.app.rehearsals import REHEARSALS
from telephony.app.secret_references import look_up, referred_variable
from telephony.app.settings_types import PositiveSeconds, Section
from telephony.base.errors import Problem
from telephony.base.located_yaml import LocatedYaml, path_text
from telephony.base.located_yaml import Path as YamlPath
from telephony.base.schema_problems import did_you_mean
from telephony.calls.model_source import ModelSource
from telephony.realtime.config_problems import IS_REQUIRED, FieldProblem, InvalidSessionConfig
from telephony.realtime.dialect import ModelFormat, RealtimeModel
from telephony.realtime.prices import PRICES, Price

_SECRET_HEADER = re.compile(r"auth|key|token|secret|cookie", re.IGNORECASE)
_SECRET_KEYS = ("api_key", "authorization")
_PAYERS = (*_SECRET_KEYS, "project", "quota_project", "organization")
_PATH_STEP = re.compile(r"[^.\[\]]+|\[\d+\]")
_KEYS_ABOVE = ("model", "voice")
_MISPLACED = (*_KEYS_ABOVE, "instructions")


class ModelPart(Section):
    """The keys of a model; ``session`` has a schema of its own for each API."""

    api: str = OPENAI_REALTIME
    model: Any = None
    voice: Any = None
    base_url: str | None = None
    api_key: str | None = None
    connect_timeout_s: PositiveSeconds = 5.0
    model_format: ModelFormat | None = None
    price: Price | None = None
    session: dict[str, Any] = Field(default_factory=dict)


class Report(Protocol):
    """Takes a mistake in the file, at the value of ``path`` or at its key."""

    def __call__(self, path: YamlPath, message: str, fix: str, *, key: bool = False) -> None: ...


class ModelReader:
    """Turns one mapping of the document, at ``path``, into a model and the way to it."""

    def __init__(
        self,
        document: LocatedYaml,
        environ: Mapping[str, str],
        report: Report,
        problems: list[Problem],
        warnings: list[Problem],
        missing: list[Problem],
        prices: Mapping[str, Price] = PRICES,
    ) -> None:
        self._document = document
        self._environ = environ
        self._report = report
        self._problems = problems
        self._warnings = warnings
        self._missing = missing
        self._prices = prices

    def read(
        self, part: ModelPart, path: YamlPath, default_format: ModelFormat
    ) -> ModelSource | None:
        """Return the model, or None when there are problems with it."""
        known = len(self._problems)
        api = MODEL_APIS.get(part.api)
        if api is None:
            self._report((*path, "api"), f"there is no API {part.api!r}", _apis(part.api))
            return None
        values = self._session_values(part, path)
        model = self._model(api, values, path)
        base_url = self._base_url(api, part, path)
        api_key = self._api_key(api, part, path, base_url)
        if len(self._problems) > known or model is None:
            return None
        opener = None
        if api.make_opener is not None:
            opener = api.make_opener(model, base_url, api_key)
        return ModelSource(
            model=model,
            base_url=base_url,
            api_key=api_key,
            connect_timeout_s=part.connect_timeout_s,
            format=part.model_format or default_format,
            opener=opener,
            credentials=tuple(_credentials(values)),
            price=part.price or self._prices.get(model.model),
            prices=self._prices,
        )

    def _session_values(self, part: ModelPart, path: YamlPath) -> dict[str, Any]:
        """Return ``session`` as the API's schema takes it, with the secrets' values."""
        values = dict(part.session)
        for key in _MISPLACED:
            if key in part.session:
                fix = f"write {key} beside session, not in it"
                place = (*path, "session", key)
                self._report(place, f"{key} stands in the wrong place", fix, key=True)
            elif key in _KEYS_ABOVE and getattr(part, key) is not None:
                values[key] = getattr(part, key)
        return {
            key: self._with_secret(key, value, (*path, "session")) for key, value in values.items()
        }

    def _model(self, api: ModelApi, values: dict[str, Any], path: YamlPath) -> RealtimeModel | None:
        try:
            return api.read(values)
        except InvalidSessionConfig as error:
            self._problems.extend(
                self._session_problem(problem, path) for problem in error.problems
            )
            return None

    def _session_problem(self, problem: FieldProblem, path: YamlPath) -> Problem:
        steps = _PATH_STEP.findall(problem.path)
        inner: YamlPath = tuple(int(s[1:-1]) if s[0] == "[" else s for s in steps)
        if not inner:
            inner = ("api",)
        elif inner[0] not in _KEYS_ABOVE:
            inner = ("session", *inner)
        place = (*path, *inner)
        if problem.message == IS_REQUIRED:
            # What is not there has no place of its own: the line is that of what should hold it.
            fix = problem.fix or f"add {inner[-1]}: ..."
            found = self._document.problem(place, problem.message, fix)
            return replace(found, key=path_text(place))
        scalar = self._document.place(place).scalar
        if scalar is not None and scalar.reading and "string" in problem.message:
            fix = f'put it in quotes: "{scalar.text}"'
            return self._document.problem(place, scalar.reading, fix)
        at_key = problem.message == "unknown key"
        return self._document.problem(place, problem.message, problem.fix, at_key=at_key)

    def _with_secrets(self, values: Any, path: YamlPath) -> Any:
        """Return a part of a session with the values of the secrets that it refers to."""
        if isinstance(values, list):
            return [self._with_secrets(value, (*path, n)) for n, value in enumerate(values)]
        if not isinstance(values, dict):
            return values
        return {key: self._with_secret(key, value, path) for key, value in values.items()}

    def _with_secret(self, key: str, value: Any, path: YamlPath) -> Any:
        place = (*path, key)
        if key in _SECRET_KEYS and isinstance(value, str):
            return self.secret(value, place)
        if key == "headers" and isinstance(value, dict):
            return {name: self._header(name, v, place) for name, v in value.items()}
        return self._with_secrets(value, place)

    def _header(self, name: str, value: Any, path: YamlPath) -> Any:
        if isinstance(value, str) and (_SECRET_HEADER.search(name) or referred_variable(value)):
            return self.secret(value, (*path, name))
        return value

    def _base_url(self, api: ModelApi, part: ModelPart, path: YamlPath) -> str:
        url = api.base_url if part.base_url is None else part.base_url
        place = (*path, "base_url")
        if variable := referred_variable(url):
            url = look_up(variable, self._environ) or ""
            if not url:
                self._lacks(variable, place)
                return ""
        if url == REHEARSAL and api.name not in REHEARSALS:
            fix = f"write the URL of a server, or api: {' or '.join(REHEARSALS)}"
            self._report(place, f"there is no built-in model of {api.title}", fix)
        if url == REHEARSAL or (not url and not api.needs_url):
            return url
        if not url:
            self._report(path, f"{api.title} needs a base_url", "add base_url: wss://...")
            return ""
        try:
            parts = urlsplit(url)
            valid = parts.scheme in ("wss", "ws", "https", "http") and bool(parts.hostname)
        except ValueError:
            valid = False
        if not valid:
            default = f"{api.base_url}, " if api.base_url else ""
            fix = f"write {default}another wss:// URL, or {REHEARSAL}"
            self._report(place, "this is no WebSocket URL", fix)
            return ""
        if parts.username or parts.password:
            self._report(place, "a URL must not hold a secret", "use api_key")
        return url

    def _api_key(self, api: ModelApi, part: ModelPart, path: YamlPath, base_url: str) -> str | None:
        if part.api_key is not None:
            rehearsing = base_url == REHEARSAL
            key = self.secret(part.api_key, (*path, "api_key"), needed=not rehearsing)
            if key and _in_clear(base_url):
                place = (*path, "base_url")
                message = "the key travels unencrypted"
                self._warnings.append(self._document.problem(place, message, "use wss://"))
            return key or None
        if api.key_variable and _needs_key(api, base_url):
            fix = f"add api_key: ${{{api.key_variable}}}"
            self._report(path, f"{api.base_url or api.title} needs a key", fix)
        return None

    def secret(self, text: str, path: YamlPath, *, needed: bool = True) -> str:
        """Return the value of the variable that ``text`` refers to; "" when there is none.

        Not ``needed``: that it is not set is no mistake.
        """
        variable = referred_variable(text)
        if variable is None:
            # The text is not repeated: it may be the secret itself.
            fix = "set an environment variable and write ${ITS_NAME}"
            self._report(path, "a secret must not be written into a file", fix)
            return ""
        value = look_up(variable, self._environ)
        if value is None and needed:
            self._lacks(variable, path)
        return value or ""

    def _lacks(self, variable: str, path: YamlPath) -> None:
        message = f"the environment variable {variable} is not set"
        self._missing.append(self._document.problem(path, message, f"export {variable}=..."))


def _credentials(values: Any) -> Iterator[str]:
    """Yield what in a session tells whose account is asked: keys, projects, organizations."""
    if isinstance(values, list):
        for value in values:
            yield from _credentials(value)
    elif isinstance(values, dict):
        for key, value in values.items():
            if key in _PAYERS and isinstance(value, str):
                yield value
            elif key == "headers" and isinstance(value, dict):
                yield from (str(v) for name, v in value.items() if _SECRET_HEADER.search(name))
            else:
                yield from _credentials(value)


def _apis(name: str) -> str:
    return did_you_mean(name, list(MODEL_APIS))


def _needs_key(api: ModelApi, base_url: str) -> bool:
    """Whether this is the provider itself: one without a default URL is known by its TLS."""
    if api.base_url:
        return base_url.startswith(api.base_url)
    return base_url.startswith(("wss://", "https://"))


def _in_clear(url: str) -> bool:
    parts = urlsplit(url)
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    return parts.scheme in ("ws", "http") and not local
