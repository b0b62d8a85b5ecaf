"""Streams answers of Anthropic's Messages API, with Anthropic's own client."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import anthropic
import httpx2

from telephony.realtime.wire import JsonObject, object_of, text_of

# A line for each request is no news.
logging.getLogger("httpx2").setLevel(logging.WARNING)

_KEEP_WARM_S = 300.0
"""Between two answers of a call, and between calls, the connection stays: a new one would cost
two or three round trips."""
_CONNECT_TIMEOUT_S = 3.0
_READ_TIMEOUT_S = 60.0
_MAX_CONNECTIONS = 1000
_NO_KEY = "none"
"""A server that asks for no key is given this one: the client insists."""


class AnswerFailed(Exception):  # noqa: N818 - reads as the fact it states
    """The stream broke off or never began; ``status`` is 0 when there was no answer."""

    def __init__(
        self, status: int, code: str, message: str, retry_after_s: float | None = None
    ) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.retry_after_s = retry_after_s
        super().__init__(f"{status} {code}: {message}")


class ClaudeClient:
    """One pool of warm connections for all calls of an agent; nothing is tried twice here."""

    def __init__(self, base_url: str, api_key: str | None, api_version: str) -> None:
        self._base_url = base_url.rstrip("/").removesuffix("/v1")
        self._api_key = api_key or _NO_KEY
        self._api_version = api_version
        self._client: anthropic.AsyncAnthropic | None = None

    def _open(self) -> anthropic.AsyncAnthropic:
        if self._client is None:
            limits = httpx2.Limits(
                max_connections=_MAX_CONNECTIONS,
                max_keepalive_connections=_MAX_CONNECTIONS,
                keepalive_expiry=_KEEP_WARM_S,
            )
            self._client = anthropic.AsyncAnthropic(
                base_url=self._base_url,
                api_key=self._api_key,
                max_retries=0,
                timeout=httpx2.Timeout(_READ_TIMEOUT_S, connect=_CONNECT_TIMEOUT_S),
                default_headers={"anthropic-version": self._api_version},
                http_client=anthropic.DefaultAsyncHttpxClient(limits=limits),
            )
        return self._client

    async def answer(self, body: JsonObject) -> AsyncGenerator[JsonObject]:
        """Yield the events of the answer to ``body`` as they come, those of unknown types too.

        Raises AnswerFailed. Leaving the loop, or cancelling the task, closes the connection.
        """
        try:
            request = self._request(_encodable(body))
            async with request as response:
                events = anthropic.AsyncStream.raw_events(response.http_response)
                async for event in events:
                    yield _parsed(event.data)
        except anthropic.APIStatusError as error:
            raise _refused(error) from None
        except (anthropic.APIConnectionError, httpx2.HTTPError, OSError) as error:
            cause = error.__cause__ or error
            text = str(cause) or type(cause).__name__
            raise AnswerFailed(0, "connection_error", text) from None
        except anthropic.AnthropicError as error:
            raise AnswerFailed(0, "client_error", str(error)) from None
        except ValueError as error:
            # What is no UTF-8 is not caught by the client. The message may quote what was said.
            raise AnswerFailed(0, "client_error", type(error).__name__) from None

    def _request(self, body: JsonObject) -> Any:
        """Return what opens the stream; fields that the client does not know go out as well."""
        required = {"model", "max_tokens", "messages", "stream"}
        more = {key: value for key, value in body.items() if key not in required}
        return self._open().messages.with_streaming_response.create(
            model=body["model"],
            max_tokens=body["max_tokens"],
            messages=body["messages"],
            stream=True,
            extra_body=more,
        )

    async def close(self) -> None:
        """Close the pool. Idempotent; a later answer opens another."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()


def _encodable(body: JsonObject) -> JsonObject:
    """Return a body that UTF-8 can hold: half a surrogate pair becomes a replacement character."""
    text = json.dumps(body, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        cleaned: JsonObject = json.loads(text.encode("utf-8", "replace"))
        return cleaned
    return body


def _parsed(data: str) -> JsonObject:
    """Return an event's data; what is no JSON object says so by its type."""
    with suppress(ValueError, RecursionError):
        value = json.loads(data)
        if isinstance(value, dict):
            return value
    return {"type": "not_json"}


def _refused(error: anthropic.APIStatusError) -> AnswerFailed:
    body = error.body if isinstance(error.body, dict) else {}
    details = object_of(body, "error")
    code = text_of(details, "type") or f"http_{error.status_code}"
    message = text_of(details, "message") or error.message
    retry_after_s: float | None = None
    with suppress(ValueError):
        retry_after_s = max(0.0, float(error.response.headers.get("retry-after", "")))
    return AnswerFailed(error.status_code, code, message, retry_after_s)
