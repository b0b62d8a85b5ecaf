"""Ears that the event loop does not wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from telephony.rehearsal.ears import Ears, Recognised


class EarsThread:
    """One thread for a whole server: ears are never worth more than one core.

    ``make_ears`` is called in the thread, before the first phrase is recognised.
    """

    def __init__(self, make_ears: Callable[[], Ears]) -> None:
        self._make_ears = make_ears
        self._ears: Ears | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ears")

    def listen(self, pcm16: bytes) -> asyncio.Future[Recognised]:
        """Recognise 8 kHz mono PCM; raises RuntimeError after :meth:`close`."""
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._thread, self._recognise, pcm16)

    def close(self) -> None:
        """Wait for what is being recognised, and drop what waits. Twice is once."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _recognise(self, pcm16: bytes) -> Recognised:
        if self._ears is None:
            self._ears = self._make_ears()
        return self._ears.recognise(pcm16)
