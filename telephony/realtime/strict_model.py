"""The base of what users write about a model."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class StrictModel(BaseModel):
    """Strict, so that a YAML ``"0.5"`` or ``yes`` in place of a number is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
