"""The OpenAI Realtime server of the package speech-to-speech, around a pipeline of ours.

Runs in a virtual environment of its own (`scripts/setup-speech-to-speech`), as a program: its
protocol layer is the real one, recognition and speech are stubs. It prints its port. The n-th
turn of the caller is taken for the n-th of the words given as arguments; each answer is a tone of
six seconds that comes twice as fast as it lasts, and the word "goodbye" is answered with a call
of the tool ``hangup``.
"""

from __future__ import annotations

import socket
import sys
import threading
from queue import Queue
from typing import Any

import numpy as np
import uvicorn
from openai.types.realtime import (
    RealtimeConversationItemAssistantMessage,
    RealtimeConversationItemFunctionCall,
)
from openai.types.realtime.realtime_conversation_item_assistant_message import Content
from openai.types.responses.response_function_tool_call import ResponseFunctionToolCall
from speech_to_speech.api.openai_realtime.pipeline_unit import PipelineUnit
from speech_to_speech.api.openai_realtime.service import RealtimeService
from speech_to_speech.api.openai_realtime.websocket_router import create_app
from speech_to_speech.pipeline.cancel_scope import CancelScope
from speech_to_speech.pipeline.control import is_control_message
from speech_to_speech.pipeline.events import (
    AssistantOutputEvent,
    AssistantResponseDoneEvent,
    SpeechStartedEvent,
    SpeechStoppedEvent,
    TokenUsageEvent,
    TranscriptionCompletedEvent,
)
from speech_to_speech.pipeline.history import ResponseHistory
from speech_to_speech.pipeline.messages import AUDIO_RESPONSE_DONE, AudioOutput

RATE_HZ = 16000
ANSWER_MS = 6000
SPEED = 2
CHUNK_MS = 100
SILENCE_MS = 500
LOUD = 500.0


class Hearing:
    """Turns by level; what was said is read from the script."""

    def __init__(self, unit: PipelineUnit, script: list[str]) -> None:
        self._unit = unit
        self._script = script
        self._received_ms = 0.0
        self._quiet_ms = 0.0
        self._speaking = False
        self._turns = 0

    def hear(self, chunk: bytes) -> None:
        samples = np.frombuffer(chunk, np.int16).astype(np.float64)
        self._received_ms += len(samples) * 1000 / RATE_HZ
        loud = bool(len(samples)) and float(np.sqrt((samples**2).mean())) > LOUD
        self._quiet_ms = 0.0 if loud else self._quiet_ms + len(samples) * 1000 / RATE_HZ
        say = self._unit.text_output_queue.put
        now_ms = int(self._received_ms)
        if loud and not self._speaking:
            self._speaking = True
            say(SpeechStartedEvent(audio_start_ms=now_ms))
        elif self._speaking and self._quiet_ms >= SILENCE_MS:
            self._speaking = False
            words = self._script[min(self._turns, len(self._script) - 1)]
            self._turns += 1
            say(SpeechStoppedEvent(audio_end_ms=now_ms, duration_s=1.0))
            say(TranscriptionCompletedEvent(transcript=words))


def listen(unit: PipelineUnit, script: list[str]) -> None:
    """Take what comes from the client, for ever."""
    hearing = Hearing(unit, script)
    while True:
        item = unit.input_queue.get()
        if is_control_message(item):
            hearing = Hearing(unit, script)
            unit.output_queue.put(item)
        elif isinstance(item, tuple):
            hearing.hear(item[0])


def speak(unit: PipelineUnit, asked: list[str]) -> None:
    """Answer every request for a response, for ever."""
    while True:
        request = unit.text_prompt_queue.get()
        if is_control_message(request) or not hasattr(request, "response_key"):
            continue
        answer(unit, request, asked)


def answer(unit: PipelineUnit, request: Any, asked: list[str]) -> None:
    generation = unit.cancel_scope.generation
    keys = {"response_key": request.response_key, "cancel_generation": generation}
    anchor = request.runtime_config.chat.history_anchor_id()
    said = last_words(request)
    asked.append(said)
    put = unit.output_queue.put
    if "goodbye" in said:
        call = ResponseFunctionToolCall(
            type="function_call", call_id=f"call_{len(asked)}", name="hangup", arguments="{}"
        )
        made: Any = RealtimeConversationItemFunctionCall(
            type="function_call", call_id=call.call_id, name=call.name, arguments=call.arguments
        )
        history = remembered(request, made, anchor)
        put(AssistantOutputEvent(tools=[call], history=history, **keys))
    else:
        text = f"You said: {said}."
        part = Content(type="output_text", text=text)
        made = RealtimeConversationItemAssistantMessage(
            type="message", role="assistant", content=[part]
        )
        history = remembered(request, made, anchor)
        put(AssistantOutputEvent(text=text, **keys))
        tone = np.sin(np.arange(RATE_HZ * CHUNK_MS // 1000) * 2 * np.pi * 440 / RATE_HZ)
        chunk = (tone * 8000).astype(np.int16)
        for _ in range(ANSWER_MS // CHUNK_MS):
            if unit.cancel_scope.is_stale(generation):
                break
            put(AudioOutput(audio=chunk, **keys))
            threading.Event().wait(CHUNK_MS / 1000 / SPEED)
    put(TokenUsageEvent(input_tokens=12, output_tokens=7, **keys))
    put(AssistantResponseDoneEvent(history=history, **keys))
    put(AudioOutput(audio=AUDIO_RESPONSE_DONE, **keys))


def remembered(request: Any, item: Any, anchor: str | None) -> ResponseHistory | None:
    """Return the item as the server's history takes it; beside the conversation there is none."""
    if getattr(request.response, "conversation", None) == "none":
        return None
    chat = request.runtime_config.chat
    return ResponseHistory.capture(chat, [item], after_item_id=anchor, complete=True)


def last_words(request: Any) -> str:
    """Return the newest thing that is not the model's, or what this response was told."""
    told = getattr(request.response, "instructions", None)
    if told:
        return str(told)
    for item in reversed(request.runtime_config.chat.to_responses_api_chat()):
        if item.get("type") == "function_call_output":
            return f"output {item['output']}"
        if item.get("role") == "user":
            content = item.get("content")
            return content if isinstance(content, str) else str(content[-1].get("text", ""))
    return ""


def build_unit() -> PipelineUnit:
    prompts: Queue[Any] = Queue()
    should_listen = threading.Event()
    return PipelineUnit(
        index=0,
        service=RealtimeService(prompts, should_listen),
        cancel_scope=CancelScope(),
        should_listen=should_listen,
        response_playing=threading.Event(),
        input_queue=Queue(),
        output_queue=Queue(),
        text_output_queue=Queue(),
        text_prompt_queue=prompts,
        handlers=[],
    )


def main(script: list[str]) -> None:
    unit = build_unit()
    asked: list[str] = []
    for work in (lambda: listen(unit, script), lambda: speak(unit, asked)):
        threading.Thread(target=work, daemon=True).start()
    listener = socket.create_server(("127.0.0.1", 0))
    app = create_app(pool=[unit], stop_event=threading.Event())
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    server.run(sockets=[listener])


if __name__ == "__main__":
    main(sys.argv[1:])
