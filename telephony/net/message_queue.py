"""Messages in order, where audio may be dropped and nothing else."""

from __future__ import annotations

from collections import deque


class MessageQueue:
    """A FIFO with a bound on its audio: the oldest audio gives way, control messages stay.

    The caller bounds the control messages by looking at :attr:`control_bytes`.
    """

    def __init__(self, max_audio_bytes: int) -> None:
        self._max_audio_bytes = max_audio_bytes
        # A dropped message stays in its place as None, so that dropping costs no search.
        self._slots: deque[list[bytes | None]] = deque()
        self._audio: deque[list[bytes | None]] = deque()
        self.audio_bytes = 0
        self.control_bytes = 0

    def __bool__(self) -> bool:
        return bool(self.audio_bytes or self.control_bytes)

    def put(self, message: bytes) -> None:
        self._slots.append([message])
        self.control_bytes += len(message)

    def put_audio(self, message: bytes) -> int:
        """Append audio; returns how many messages were dropped to keep the bound."""
        slot: list[bytes | None] = [message]
        self._slots.append(slot)
        self._audio.append(slot)
        self.audio_bytes += len(message)
        dropped = 0
        while self.audio_bytes > self._max_audio_bytes:
            self._drop_oldest()
            dropped += 1
        return dropped

    def _drop_oldest(self) -> None:
        slot = self._audio.popleft()
        message = slot[0]
        slot[0] = None
        self.audio_bytes -= len(message or b"")
        # Control messages may be stuck in front for long; without them nothing piles up here.
        while self._slots and self._slots[0][0] is None:
            self._slots.popleft()

    def take(self) -> tuple[bytes, bool] | None:
        """Return the oldest message and whether it is audio, or None when there is none."""
        while self._slots:
            slot = self._slots.popleft()
            message = slot[0]
            if message is None:
                continue
            if self._audio and self._audio[0] is slot:
                self._audio.popleft()
                self.audio_bytes -= len(message)
                return message, True
            self.control_bytes -= len(message)
            return message, False
        return None

    def clear(self) -> None:
        self._slots.clear()
        self._audio.clear()
        self.audio_bytes = self.control_bytes = 0
