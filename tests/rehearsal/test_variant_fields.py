"""Every model of a client's fields refuses what it does not know."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from telephony.rehearsal.variant_fields import (
    InworldResponse,
    InworldSession,
    LocalSession,
    QwenResponse,
    QwenSession,
    VoiceLiveResponse,
    VoiceLiveSession,
    XaiResponse,
    XaiSession,
)

GA = {"type": "realtime"}


@pytest.mark.parametrize(
    ("fields", "valid"),
    [
        (LocalSession, GA),
        (XaiSession, {}),
        (XaiResponse, {}),
        (InworldSession, GA),
        (InworldResponse, {}),
        (VoiceLiveSession, {}),
        (VoiceLiveResponse, {}),
        (QwenSession, {}),
        (QwenResponse, {}),
    ],
)
def test_what_is_unknown_is_refused(fields: type[BaseModel], valid: dict[str, Any]):
    fields.model_validate(valid)
    with pytest.raises(ValidationError, match="x_unknown"):
        fields.model_validate({**valid, "x_unknown": 1})


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        (XaiSession, {"turn_detection": {"type": "semantic_vad"}}),
        (XaiSession, {"audio": {"input": {"format": {"type": "audio/pcm", "rate": 12345}}}}),
        (InworldSession, {**GA, "audio": {"output": {"format": {"type": "audio/opus"}}}}),
        (VoiceLiveSession, {"input_audio_sampling_rate": 8000}),
        (VoiceLiveSession, {"voice": {"type": "azure-standard"}}),
        (QwenSession, {"input_audio_format": "g711_ulaw"}),
        (QwenSession, {"turn_detection": {"type": "server_vad", "silence_duration_ms": 100}}),
        (QwenSession, {"tools": [{"type": "function", "name": "f"}]}),
    ],
)
def test_what_is_wrong_is_refused(fields: type[BaseModel], wrong: dict[str, Any]):
    with pytest.raises(ValidationError):
        fields.model_validate(wrong)
