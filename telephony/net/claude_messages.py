"""Claude's Messages API over HTTP, through Anthropic's own client.

The package ``anthropic`` is an extra: it is imported when the first client is made.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast

from telephony.base.interfaces import ModelUnavailable

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

_FATAL_STATUSES = frozenset({400, 401, 403, 404})
_MAX_RETRIES = 1


def is_installed() -> bool:
    """Return whether the package that this needs is there."""
    return find_spec("anthropic") is not None


class ClaudeMessages:
    """One client, with its connections kept open, for all calls of an agent."""

    def __init__(self, api_key: str | None, base_url: str | None, timeout_s: float) -> None:
        self._api_key = api_key
        self._base_url = base_url
        self._timeout_s = timeout_s
        self._client: AsyncAnthropic | None = None

    async def create(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the reply to a request, as the API words it; raises ModelUnavailable."""
        from anthropic import AnthropicError, APIStatusError

        try:
            message = await self._opened().messages.create(**body)
        except APIStatusError as error:
            fatal = error.status_code in _FATAL_STATUSES
            raise ModelUnavailable(f"HTTP {error.status_code}: {error}", fatal=fatal) from None
        except AnthropicError as error:
            raise ModelUnavailable(str(error)) from None
        return cast("dict[str, Any]", message.to_dict())

    def _opened(self) -> AsyncAnthropic:
        if self._client is None:
            from anthropic import AsyncAnthropic

            self._client = AsyncAnthropic(
                # Without a key the client would look for one in the environment.
                api_key=self._api_key or "none",
                base_url=self._base_url,
                timeout=self._timeout_s,
                max_retries=_MAX_RETRIES,
            )
        return self._client

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()
