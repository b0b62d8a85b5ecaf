"""A model and the way to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from telephony.audio.format import AudioFormat
from telephony.base.ids import Ids
from telephony.base.interfaces import ModelConnection, ModelConnector
from telephony.calls.polite_close import PoliteConnection, SaysGoodbye, noting
from telephony.realtime.dialect import Brief, Dialect, ModelFormat, RealtimeModel
from telephony.realtime.prices import PRICES, Price


class ModelOpener(Protocol):
    """Opens what is no single WebSocket; raises ModelUnavailable when it cannot be had."""

    async def __call__(
        self,
        dialect: Dialect,
        on_message: Callable[[Any], None],
        on_closed: Callable[[int, str], None],
    ) -> ModelConnection: ...


@dataclass(frozen=True, slots=True)
class ModelSource:
    """One model of an agent.

    ``base_url`` and ``api_key`` are for its WebSocket; a model that is reached in another way has
    an ``opener``, and what goes over that connection is what its dialect and the opener agree on.
    ``credentials`` are what else tells whose account it is: a project, the keys of services beside
    it. Without a ``price`` nobody knows what it costs; ``prices`` are those of models beside it.
    """

    model: RealtimeModel
    base_url: str = ""
    api_key: str | None = field(default=None, repr=False)
    connect_timeout_s: float = 5.0
    format: ModelFormat = "auto"
    opener: ModelOpener | None = field(default=None, repr=False)
    credentials: tuple[str, ...] = field(default=(), repr=False)
    price: Price | None = None
    prices: Mapping[str, Price] = field(default_factory=lambda: PRICES, repr=False, compare=False)

    @property
    def account(self) -> tuple[str | None, ...]:
        """Whom the provider takes us for: the same model with the same keys at the same place."""
        model = self.model
        return (model.api, model.model, self.base_url, self.api_key, *self.credentials)

    def price_of(self, model: str) -> Price | None:
        """Return what a use of ``model`` costs; "" is the source's own."""
        return self.prices.get(model) if model and model != self.model.model else self.price

    def new_dialect(self, brief: Brief, line: AudioFormat, ids: Ids) -> Dialect:
        """Begin a session for a leg that carries ``line``."""
        return self.model.new_dialect(brief, line, self.format, ids)

    async def connect(
        self,
        dialect: Dialect,
        connector: ModelConnector,
        on_message: Callable[[Any], None],
        on_closed: Callable[[int, str], None],
    ) -> ModelConnection:
        """Open a connection for ``dialect``; raises ModelUnavailable when it cannot be had."""
        if self.opener is not None:
            return await self.opener(dialect, on_message, on_closed)
        url, headers = dialect.url(self.base_url), dialect.request_headers(self.api_key or "")
        if not isinstance(dialect, SaysGoodbye):
            return await connector(url, headers, on_message, on_closed)
        peer_closed = asyncio.Event()
        connection = await connector(url, headers, on_message, noting(peer_closed, on_closed))
        return PoliteConnection(connection, dialect, peer_closed)
