"""The shape of a dialplan file, before its patterns are compiled."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

# Names appear in log lines, CDRs and on the console.
Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]


def _as_list(value: Any) -> Any:
    """One text stands for a list of one."""
    return value if isinstance(value, list) else [value]


AnyOf = Annotated[list[str], BeforeValidator(_as_list), Field(min_length=1)]


Attestations = Annotated[
    list[Literal["A", "B", "C"]], BeforeValidator(_as_list), Field(min_length=1)
]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class When(_Part):
    """Conditions; all that are given must hold, each when any of its values matches."""

    called: AnyOf | None = None
    caller: AnyOf | None = None
    source: AnyOf | None = None
    trunk: AnyOf | None = None
    diverted_from: AnyOf | None = None
    attestation: Attestations | None = None
    headers: Annotated[dict[str, AnyOf], Field(min_length=1)] | None = None


class ExtensionPart(_Part):
    """One extension; ``when`` and each item of ``do`` are validated by schemas of their own."""

    name: Name
    when: Any = None
    do: Annotated[list[Any], Field(min_length=1)]


class DialplanFile(_Part):
    contexts: dict[Name, list[Any]]
