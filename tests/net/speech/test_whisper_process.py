"""The program around faster-whisper, with a model in its place."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from telephony.net.speech.whisper_process import serve


@dataclass
class Model:
    """Hears how long the audio is; fails over samples that are loud."""

    options: list[dict[str, Any]] = field(default_factory=list)

    def transcribe(self, samples: Any, **options: Any) -> tuple[list[Any], None]:
        self.options.append(options)
        if np.max(samples, initial=0.0) > 0.9:
            raise ValueError("too\nloud")
        return [SimpleNamespace(text=text) for text in (f" {len(samples)}", " samples ")], None


def request(pcm16: bytes, size: int | None = None, language: str | None = None) -> bytes:
    head = {"bytes": len(pcm16) if size is None else size, "language": language}
    return json.dumps(head).encode() + b"\n" + pcm16


def served(*requests: bytes, capsys: pytest.CaptureFixture[str]) -> tuple[Model, list[str]]:
    model = Model()
    serve(model, io.BytesIO(b"".join(requests)), 3)
    return model, capsys.readouterr().out.splitlines()


def test_each_request_has_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    model, lines = served(request(bytes(320), language="de"), request(b""), capsys=capsys)
    assert lines == ['= {"text": "160 samples"}', '= {"text": "0 samples"}']
    assert [options["language"] for options in model.options] == ["de", None]
    assert model.options[0]["beam_size"] == 3


def test_what_a_model_fails_over_costs_one_request(capsys: pytest.CaptureFixture[str]) -> None:
    _, lines = served(request(b"\xff\x7f" * 10), request(bytes(20)), capsys=capsys)
    assert lines == ["! ValueError: too loud", '= {"text": "10 samples"}']


def test_it_ends_with_its_input(capsys: pytest.CaptureFixture[str]) -> None:
    model, lines = served(request(bytes(10), size=20), capsys=capsys)
    assert (model.options, lines) == ([], [])
