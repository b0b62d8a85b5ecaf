"""What the model believes that was said."""

from __future__ import annotations

from telephony.rehearsal.gemini.said import Conversation, Said, audio_tokens


def test_turns_and_tokens() -> None:
    conversation = Conversation(
        [
            Said("user", "text", "12345678"),
            Said("model", "speech", "Hello.", audio_ms=2000.0),
            Said("user", "speech", "Hi.", audio_ms=1000.0),
            Said("model", "call", name="f", call_id="1"),
            Said("user", "result", "1234", name="f", call_id="1"),
        ]
    )
    assert conversation.turns == 2
    assert conversation.tokens() == (3, 75)
    assert audio_tokens(1000.0) == 25
    assert len(conversation.copy()) == 5
    assert conversation.copy()[0] is not conversation[0]
