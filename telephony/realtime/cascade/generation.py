"""Requests to the language model: sent, tried again, given up."""

from __future__ import annotations

from telephony.realtime.cascade.chunker import SentenceChunker
from telephony.realtime.cascade.claude_messages import Wanted, request_body
from telephony.realtime.cascade.claude_stream import ClaudeStream
from telephony.realtime.cascade.messages import CancelGeneration, Generate, GenerationFailed
from telephony.realtime.cascade.reply import Reply
from telephony.realtime.cascade.state import CascadeState
from telephony.realtime.countdown import Countdown
from telephony.realtime.history import HistoryItem

_FIRST_RETRY_S = 0.25
_RETRIED_STATUS = (0, 408, 409, 425, 429)
_RETRIED_CODES = frozenset(("overloaded_error", "api_error", "rate_limit_error", "timeout_error"))


class Generations:
    """Sends a reply's request; the same reply again when that is refused for a passing reason."""

    def __init__(self, state: CascadeState) -> None:
        self._state = state
        self._retry: Reply | None = None
        self.stall_timer = Countdown()
        self.retry_timer = Countdown()

    def send(self, reply: Reply) -> None:
        """Ask for an answer to the conversation as it is, and to ``reply.said_for``."""
        state = self._state
        items = list(state.history)
        reply.after = state.last_item_id()
        if reply.said_for:
            words = HistoryItem("", "message", "user")
            words.replace_text(reply.said_for)
            items.append(words)
        ask = reply.ask
        tool_choice = ask.tool_choice or ("none" if ask.out_of_band else None)
        wanted = Wanted(ask.note, tool_choice, state.calls.open_calls, state.thinking)
        brief = state.brief
        body = request_body(state.config, brief.instructions, brief.tools, items, wanted)
        reply.generation_id = f"gen_{state.ids.token(8)}"
        reply.stream = ClaudeStream()
        reply.chunker = SentenceChunker()
        reply.attempts += 1
        state.outbox.append(Generate(reply.generation_id, body))
        self.stall_timer.start(state.config.llm.stall_s)

    def progressed(self, now: float) -> None:
        self.stall_timer.start_at(self._state.config.llm.stall_s, now)

    def close(self, reply: Reply) -> None:
        """Want no more of a reply's stream, whether one runs or is to be tried again."""
        if reply.generation_id:
            self.cancel(reply.generation_id)
        self.ended(reply)

    def cancel(self, generation_id: str) -> None:
        self._state.outbox.append(CancelGeneration(generation_id))

    def ended(self, reply: Reply) -> None:
        """The stream is over."""
        reply.generation_id = ""
        self.stall_timer.stop()
        if self._retry is reply:
            self._retry = None
            self.retry_timer.stop()

    def try_again(self, reply: Reply, failure: GenerationFailed, now: float) -> bool:
        """Whether the same request is sent once more, when its time has come."""
        self.ended(reply)
        if reply.failing_since is None:
            reply.failing_since = now
        if reply.has_words or not is_passing(failure):
            return False
        delay_s = _FIRST_RETRY_S * 2 ** (reply.attempts - 1)
        if failure.retry_after_s is not None:
            delay_s = max(delay_s, failure.retry_after_s)
        if now + delay_s > reply.failing_since + self._state.config.llm.retry_s:
            return False
        self._state.cascade_stats.retries += 1
        self.retry_timer.start_at(delay_s, now)
        self._retry = reply
        return True

    def handle_timer(self, now: float) -> None:
        retry = self._retry
        if self.retry_timer.expired(now) and retry is not None:
            self._retry = None
            self.send(retry)


def is_passing(failure: GenerationFailed) -> bool:
    """Whether the same request may succeed a moment later."""
    status = failure.status
    return status in _RETRIED_STATUS or status >= 500 or failure.code in _RETRIED_CODES
