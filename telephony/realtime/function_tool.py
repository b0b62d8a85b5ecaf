"""How a function of ours is described to a model."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from telephony.realtime.strict_model import StrictModel


class FunctionTool(StrictModel):
    """A function the model may ask us to run. ``parameters`` is a JSON Schema."""

    type: Literal["function"] = "function"
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    description: str = ""
    parameters: dict[str, Any] = Field(default_factory=lambda: {"type": "object", "properties": {}})
