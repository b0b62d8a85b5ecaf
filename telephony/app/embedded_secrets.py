"""Secrets inside of longer values, such as ``Bearer ${CRM_TOKEN}``."""

from __future__ import annotations

import re
from collections.abc import Mapping

from telephony.app.model_reader import Report
from telephony.app.secret_references import look_up
from telephony.base.errors import Problem
from telephony.base.located_yaml import LocatedYaml
from telephony.base.located_yaml import Path as YamlPath

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SECRET_NAME = re.compile(r"auth|key|token|secret|cookie|password", re.IGNORECASE)

_SHORTEST_SECRET = 4


class EmbeddedSecrets:
    """Puts in what the environment holds; what it lacks is noted in ``missing``."""

    def __init__(
        self,
        document: LocatedYaml,
        environ: Mapping[str, str],
        report: Report,
        missing: list[Problem],
    ) -> None:
        self._document = document
        self._environ = environ
        self._report = report
        self._missing = missing

    def read(self, values: Mapping[str, str], path: YamlPath) -> dict[str, str]:
        """Return named values; one whose name says that it is a secret must be a reference."""
        out: dict[str, str] = {}
        for name, text in values.items():
            place = (*path, name)
            if _SECRET_NAME.search(name) and not _REFERENCE.search(text):
                # The text is not repeated: it may be the secret itself.
                fix = "set an environment variable and write ${ITS_NAME}"
                self._report(place, "a secret must not be written into a file", fix)
            out[name] = self._expand(text, place)
        return out

    def values_in(self, values: Mapping[str, str]) -> frozenset[str]:
        """Return what the environment holds for the references in named values.

        What is too short to be a secret is left out.
        """
        names = [name for text in values.values() for name in _REFERENCE.findall(text)]
        found = (look_up(name, self._environ) or "" for name in names)
        return frozenset(value for value in found if len(value) >= _SHORTEST_SECRET)

    def _expand(self, text: str, path: YamlPath) -> str:
        def value_of(reference: re.Match[str]) -> str:
            value = look_up(reference[1], self._environ)
            if value is None:
                message = f"the environment variable {reference[1]} is not set"
                fix = f"export {reference[1]}=..."
                self._missing.append(self._document.problem(path, message, fix))
            return value or ""

        return _REFERENCE.sub(value_of, text)
