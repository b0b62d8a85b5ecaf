"""Where settings come from: the built-in default, then the file, then ``TELEPHONY_...`` variables.

A relative path in the file is relative to the file's directory, one in a variable to the working
directory. The variable of a key is its path in capitals: ``media.jitter.min_ms`` is
``TELEPHONY_MEDIA_JITTER_MIN_MS``. A value of null is written ``null``; lists are separated by
commas, the empty one is ``[]``. An empty variable is a mistake: what is meant by it differs too
much.
"""

from __future__ import annotations

import os
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from telephony.app.files import display_name, read_file
from telephony.app.settings import PATH_KEYS, Settings
from telephony.base.errors import Problem
from telephony.base.located_yaml import LocatedYaml, read_yaml
from telephony.base.schema_problems import schema_problem

PREFIX = "TELEPHONY_"
CONFIG_VARIABLE = "TELEPHONY_CONFIG"
BUILT_IN = Path(__file__).parent / "defaults" / "telephony.yaml"

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """``settings`` hold defaults where ``problems`` were found."""

    file: Path
    document: LocatedYaml
    settings: Settings
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    variables: frozenset[Key] = frozenset()

    def names(self, key: Key) -> bool:
        """Tell whether the file or the environment gives a value to ``key``."""
        return key in self.variables or self.document.written(key) == key

    def problem(self, key: Key, message: str, fix: str = "") -> Problem:
        """Return a Problem at the value of ``key``, in the file or in the environment."""
        if key in self.variables:
            return Problem("environment", 0, 0, variable_name(key), message, fix)
        return self.document.problem(key, message, fix)


def find_config(file: Path | None, environ: Mapping[str, str]) -> Path:
    """Return the configuration file to use.

    That is ``file``, else ``$TELEPHONY_CONFIG``, else ``config/telephony.yaml`` of the working
    directory, else the one in the package, which sends every call to the rehearsal model.
    """
    if file is not None:
        return file
    if named := environ.get(CONFIG_VARIABLE):
        return Path(named)
    here = Path("config") / "telephony.yaml"
    return here if here.is_file() else BUILT_IN


def load_settings(file: Path, environ: Mapping[str, str]) -> LoadedSettings:
    """Read ``file`` and the environment; never raises, see ``problems``."""
    name = display_name(file)
    content = read_file(file)
    if isinstance(content, Problem):
        empty = LocatedYaml(name)
        settings = _with_absolute_paths(Settings(), {}, file.absolute().parent)
        return LoadedSettings(file, empty, settings, (content,), ())
    document = read_yaml(content, name)
    problems = list(document.problems)
    data = document.data if document.data is not None else {}
    if not isinstance(data, dict):
        problems.append(document.problem((), "keys with values are expected here"))
        data = {}
    variables, bad_variables, warnings = read_variables(environ)
    merged = _merge(data, variables)
    settings, errors = _validate(merged)
    settings = _with_absolute_paths(settings, variables, file.absolute().parent)
    problems += _problems(errors, document, variables)
    problems.sort(key=lambda problem: (problem.line, problem.column))
    return LoadedSettings(
        file,
        document,
        settings,
        (*problems, *bad_variables),
        tuple(warnings),
        frozenset(variables),
    )


def variable_name(key: Key) -> str:
    """Return the environment variable that overrides a key."""
    return PREFIX + "_".join(key).upper()


def setting_fields(
    model: type[BaseModel] = Settings, above: Key = ()
) -> Iterator[tuple[Key, FieldInfo]]:
    """Yield every key that has a value, with its field."""
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from setting_fields(inner, (*above, name))
        else:
            yield (*above, name), field


def read_variables(
    environ: Mapping[str, str],
) -> tuple[dict[Key, Any], list[Problem], list[Problem]]:
    """Return the values given by the environment, the wrong ones, and warnings of unknown names."""
    known = {variable_name(key): (key, field) for key, field in setting_fields()}
    values: dict[Key, Any] = {}
    problems: list[Problem] = []
    warnings: list[Problem] = []
    for name in sorted(environ):
        if name in known:
            key, field = known[name]
            if not environ[name].strip():
                problems.append(_empty_variable(name, field))
                continue
            try:
                values[key] = _read_variable(environ[name], field)
            except ValidationError as error:
                problems.append(_bad_variable(name, environ[name], error))
        elif name.startswith(PREFIX) and name != CONFIG_VARIABLE:
            warnings += _unknown_variable(name, known)
    return values, problems, warnings


def _read_variable(text: str, field: FieldInfo) -> Any:
    if _is_optional(field) and text.strip().lower() == "null":
        return None
    value: Any = text
    if typing.get_origin(field.annotation) is list:
        value = [] if text.strip() == "[]" else [item.strip() for item in text.split(",")]
    # Lenient where the file is strict: a variable is always text.
    hint: Any = Annotated[field.annotation, field]
    return TypeAdapter(hint).validate_python(value)


def _is_optional(field: FieldInfo) -> bool:
    return type(None) in typing.get_args(field.annotation)


def _empty_variable(name: str, field: FieldInfo) -> Problem:
    fix = "unset it, or write null" if _is_optional(field) else "unset it, or write a value"
    return Problem("environment", 0, 0, name, "is empty", fix)


def _bad_variable(name: str, text: str, error: ValidationError) -> Problem:
    item = error.errors(include_url=False)[0]
    problem = schema_problem({**item, "loc": ()}, LocatedYaml("environment"), None)
    message = problem.message.partition(", unable")[0]
    if repr(text) not in message:
        message += f", not {text!r}"
    return replace(problem, key=name, message=message)


def _unknown_variable(name: str, known: Mapping[str, Any]) -> Iterator[Problem]:
    # Only a warning, and only near a known name: a Kubernetes service called "telephony" puts
    # variables such as TELEPHONY_PORT_8080_TCP into every pod.
    for near in get_close_matches(name, known, n=1, cutoff=0.8):
        message = "no setting has this name; it changes nothing"
        yield Problem("environment", 0, 0, name, message, f"did you mean {near}?")


def _merge(data: dict[str, Any], variables: Mapping[Key, Any]) -> dict[str, Any]:
    """Return a copy of the file's data in which the variables' values stand."""
    merged = _with_sections(data, Settings)
    for key, value in variables.items():
        section: Any = merged
        for step in key[:-1]:
            # A section that is no mapping is an error of the file, reported by its schema.
            section = section[step] if isinstance(section, dict) else None
        if isinstance(section, dict):
            section[key[-1]] = value
    return merged


def _with_sections(data: Mapping[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """Return a copy in which every section exists; one with all its keys commented out is None."""
    out = dict(data)
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            section = out.get(name)
            if section is None or isinstance(section, dict):
                out[name] = _with_sections(section or {}, inner)
    return out


def _with_absolute_paths(
    settings: Settings, variables: Mapping[Key, Any], config_dir: Path
) -> Settings:
    for section_name, name in PATH_KEYS:
        section = getattr(settings, section_name)
        text = getattr(section, name)
        if text is None or (name == "scenario" and not text.endswith(".yaml")):
            continue
        base = Path.cwd() if (section_name, name) in variables else config_dir
        absolute = os.path.normpath(base / os.path.expanduser(text))
        section = section.model_copy(update={name: absolute})
        settings = settings.model_copy(update={section_name: section})
    return settings


def _validate(merged: dict[str, Any]) -> tuple[Settings, list[ErrorDetails]]:
    """Return the settings, with defaults in place of what is wrong, and the errors."""
    try:
        return Settings.model_validate(merged), []
    except ValidationError as error:
        errors = error.errors(include_url=False)
    dropped = [_drop(merged, item["loc"]) for item in errors]
    if True not in dropped:
        return Settings(), errors
    # With a key gone, another may be wrong beside its default: that would be no news.
    return _validate(merged)[0], errors


def _drop(data: Any, location: tuple[int | str, ...]) -> bool:
    """Take out the wrong key, or its section when the key is not there but a default."""
    holder: dict[str, Any] = {}
    last: Any = None
    for step in location:
        if not isinstance(data, dict) or step not in data:
            break
        holder, last, data = data, step, data[step]
    return holder.pop(last, None) is not None


def _problems(
    errors: list[ErrorDetails], document: LocatedYaml, variables: Mapping[Key, Any]
) -> list[Problem]:
    reported = {(problem.line, problem.column) for problem in document.problems}
    found = [_problem(item, document, variables) for item in errors]
    return [p for p in found if not p.line or (p.line, p.column) not in reported]


def _problem(item: ErrorDetails, document: LocatedYaml, variables: Mapping[Key, Any]) -> Problem:
    for key in variables:
        if item["loc"][: len(key)] == key:
            problem = schema_problem(item, LocatedYaml("environment"), Settings)
            return replace(problem, key=variable_name(key))
    return schema_problem(item, document, Settings)
