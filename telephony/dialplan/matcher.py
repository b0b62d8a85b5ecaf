"""Finds the extension that takes a call, and says why the others don't."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from telephony.base.errors import LocalProtocolError
from telephony.dialplan.actions import Action, ConnectModel
from telephony.dialplan.model import CallFacts, Extension, Reference, Subjects, VariableUse

MAIN_CONTEXT = "main"


@dataclass(frozen=True, slots=True)
class Route:
    """What is to be done with a call, and the place of the extension that says so."""

    context: str
    extension: str
    actions: tuple[Action, ...]
    file: str
    line: int

    @property
    def agent(self) -> str | None:
        """The agent of the first ``connect_model``: its model is connected before the 200 OK."""
        return next((act.agent for act in self.actions if isinstance(act, ConnectModel)), None)


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """What one extension says to a call.

    ``matched``: all its conditions hold. ``taken``: it is the first such, so it takes the call.
    ``reason``: every condition that fails, or which extension was first; empty when taken.
    """

    extension: str
    matched: bool
    taken: bool
    reason: str
    file: str
    line: int


class RuleIndex:
    """Extensions in order, of which those that list their called numbers are found by number."""

    def __init__(self, extensions: Sequence[Extension] = ()) -> None:
        self.extensions: list[Extension] = []
        self._by_called: dict[str, list[int]] = {}
        self._others: list[int] = []
        for extension in extensions:
            self.add(extension)

    def add(self, extension: Extension) -> None:
        index = len(self.extensions)
        self.extensions.append(extension)
        called = extension.exact_called()
        if called is None:
            self._others.append(index)
            return
        for number in dict.fromkeys(called):
            self._by_called.setdefault(number, []).append(index)

    def candidates(self, called: str) -> Iterator[Extension]:
        """Yield, in order, every extension that may take a call to ``called``."""
        listed = self._by_called.get(called, ())
        start = 0
        for index in listed:
            end = bisect_left(self._others, index, start)
            for other in self._others[start:end]:
                yield self.extensions[other]
            yield self.extensions[index]
            start = end
        for other in self._others[start:]:
            yield self.extensions[other]

    def covering(self, extension: Extension) -> Extension | None:
        """Return the first extension that takes every call that ``extension`` would."""
        called = extension.exact_called()
        theirs = extension.by_subject()
        # An extension that lists its numbers covers only ones that list theirs.
        candidates = self.candidates(called[0] if called else "")
        return next((earlier for earlier in candidates if earlier.covers(theirs)), None)


class Dialplan:
    """Contexts of ordered extensions; the first whose conditions all hold takes the call.

    ``sounds`` and ``agents`` are the names that actions refer to, ``trunks`` those that conditions
    and actions do, ``verbs`` what the actions are (``answer``, ``attended transfer``), all with
    their places. ``recordings`` are the formats that ``record`` asks for, empty for that of the
    settings. ``variables`` are those that agents are given.
    """

    def __init__(
        self,
        contexts: Mapping[str, Sequence[Extension]],
        sounds: Sequence[Reference] = (),
        agents: Sequence[Reference] = (),
        trunks: Sequence[Reference] = (),
        verbs: Sequence[Reference] = (),
        recordings: Sequence[Reference] = (),
        variables: Sequence[VariableUse] = (),
    ) -> None:
        self.contexts = MappingProxyType({name: tuple(rules) for name, rules in contexts.items()})
        self.sounds = tuple(sounds)
        self.agents = tuple(agents)
        self.trunks = tuple(trunks)
        self.verbs = tuple(verbs)
        self.recordings = tuple(recordings)
        self.variables = tuple(variables)
        self._indexes = {name: RuleIndex(rules) for name, rules in contexts.items()}

    def route(self, call: CallFacts, context: str = MAIN_CONTEXT) -> Route | None:
        """Return what the first matching extension does, or None when none matches."""
        index = self._index(context)
        subjects = Subjects.of(call)
        for extension in index.candidates(subjects.values["called"]):
            if extension.takes(subjects):
                return Route(
                    context, extension.name, extension.actions, extension.file, extension.line
                )
        return None

    def explain(self, call: CallFacts, context: str = MAIN_CONTEXT) -> list[RuleVerdict]:
        """Return the verdict of every extension of the context, in order."""
        subjects = Subjects.of(call)
        winner: Extension | None = None
        verdicts: list[RuleVerdict] = []
        for extension in self._index(context).extensions:
            failed = [c.why_not(subjects) for c in extension.conditions if not c.holds(subjects)]
            reason = "; ".join(failed)
            matched = not failed
            if matched and winner is not None:
                reason = f"its conditions hold, but {winner.name} comes first"
            taken = matched and winner is None
            if taken:
                winner = extension
            verdicts.append(
                RuleVerdict(extension.name, matched, taken, reason, extension.file, extension.line)
            )
        return verdicts

    def _index(self, context: str) -> RuleIndex:
        try:
            return self._indexes[context]
        except KeyError:
            raise LocalProtocolError(f"the dialplan has no context {context!r}") from None
