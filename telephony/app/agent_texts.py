"""The templates of an agent's file: every name in them has to have a value."""

from __future__ import annotations

from collections.abc import Collection

from telephony.app.model_reader import Report
from telephony.base.errors import Problem
from telephony.base.located_yaml import LocatedYaml
from telephony.base.located_yaml import Path as YamlPath
from telephony.base.schema_problems import did_you_mean
from telephony.realtime.template import BadTemplate, Template


class TextReader:
    """Reads templates, and reports what is wrong with them in the line where it stands."""

    def __init__(self, document: LocatedYaml, problems: list[Problem], report: Report) -> None:
        self._document = document
        self._problems = problems
        self._report_at_value = report

    def read(self, text: str, path: YamlPath, known: Collection[str]) -> Template | None:
        """Return the template, or None when there are mistakes in it."""
        found = len(self._problems)
        try:
            template = Template.parse(text)
        except BadTemplate as error:
            fix = r"write {{name}}, or \{{ for two braces that are meant"
            self._report(path, str(error), fix, text, error.offset)
            return None
        for name in template.names:
            if name.name not in known:
                fix = did_you_mean(name.name, known)
                message = f"there is no value {name.name!r}"
                self._report(path, message, fix, text, name.offset)
        return template if len(self._problems) == found else None

    def _report(self, path: YamlPath, message: str, fix: str, text: str, offset: int) -> None:
        place = self._document.place(path)
        if not place.block:
            self._report_at_value(path, message, fix)
            return
        # A block's text begins on the line below; only a literal one keeps its lines.
        line = place.line + 1 + (text.count("\n", 0, offset) if place.block == "|" else 0)
        at = self._document.problem(path, message, fix)
        self._problems.append(Problem(at.file, line, 1, at.key, message, fix))
