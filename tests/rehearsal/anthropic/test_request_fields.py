"""Types of a request's fields, against the vendor's own."""

from __future__ import annotations

from anthropic.types.message_create_params import MessageCreateParamsStreaming

from telephony.rehearsal.anthropic.request_fields import MessagesRequest


def test_every_field_is_one_of_the_vendors() -> None:
    known = set(MessageCreateParamsStreaming.__annotations__)
    for base in MessageCreateParamsStreaming.__orig_bases__:  # type: ignore[attr-defined]
        known |= set(getattr(base, "__annotations__", {}))
    sampling = {"temperature", "top_p", "top_k"}
    assert set(MessagesRequest.model_fields) - known <= sampling
