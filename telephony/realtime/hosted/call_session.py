"""The state of a hosted Realtime call's session, which outlives its sidebands."""

from __future__ import annotations

from telephony.audio.format import PCMU
from telephony.base.ids import Ids
from telephony.realtime.events import SessionChanged
from telephony.realtime.history import HistoryItem
from telephony.realtime.hosted.session_body import change_of
from telephony.realtime.openai_session import OpenAISession
from telephony.realtime.session_base import RealtimeSessionConfig
from telephony.realtime.session_config import SessionConfig
from telephony.realtime.wire import JsonObject


class CallSession(OpenAISession):
    """What both directions of a sideband share.

    ``change`` is a ``session.update`` that is not confirmed yet; one at a time. With
    ``cut_off_unseen`` every connection but the first begins with cutting off what goes on.
    """

    def __init__(self, config: SessionConfig, ids: Ids, stall_s: float) -> None:
        super().__init__(config, ids, PCMU, PCMU, stall_s)
        self.change: JsonObject | None = None
        self.cut_off_unseen = False
        self._undelivered: dict[str, None] = {}
        self._config_before: RealtimeSessionConfig = config
        self._open_updates: list[str] = []

    def reset(self) -> None:
        """Begin a new connection; items of ours that nobody confirmed are to be sent again."""
        self._undelivered = {**self.unacknowledged, **self._undelivered}
        self._open_updates.clear()
        super().reset()

    def update(self, wire: JsonObject) -> None:
        self._open_updates.append(self.send("session.update", session=wire))

    def change_to(self, config: SessionConfig) -> None:
        """Ask for other settings; without a connection the next one is."""
        if self.change is None:
            self._config_before = self.config
        self.config = config
        self.change = change_of(config)
        if self.ready:
            self.update(self.change)

    def updated(self) -> None:
        """The server has taken the update that was sent first of those it has not answered."""
        del self._open_updates[:1]
        if self.change is not None and not self._open_updates:
            self.change = None
            self.events.append(SessionChanged(accepted=True))

    def refused(self, event_id: str) -> bool:
        """Tell whether a refused message was the last change, which is undone then."""
        if event_id not in self._open_updates:
            return False
        is_last = event_id == self._open_updates[-1]
        self._open_updates.remove(event_id)
        if self.change is None or not is_last:
            return False
        self.change, self.config = None, self._config_before
        self.events.append(SessionChanged(accepted=False))
        return True

    def add_item(self, item: HistoryItem) -> None:
        if not self.ready:
            self._undelivered[item.item_id] = None
        super().add_item(item)

    def replay(self) -> None:
        """Send what is missing on the server, which remembers all the rest."""
        if self.cut_off_unseen and self.stats.connections > 1:
            # Nothing of ours may have been begun yet. To cancel what is not there does no harm.
            self.send("response.cancel")
            self.send("output_audio_buffer.clear")
        waiting, self._undelivered = self._undelivered, {}
        for item_id in waiting:
            item = self.history.get(item_id)
            if item is not None:
                self.unacknowledged[item_id] = None
                self.send("conversation.item.create", item=item.wire_item())

    def forget_unheard(self, response_id: str) -> None:
        """The server knows what was heard: it plays it."""
