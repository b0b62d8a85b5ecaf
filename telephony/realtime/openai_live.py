"""OpenAI Live without I/O: commands and server messages in, events and messages out.

The model listens and speaks at once, all the time, and decides alone when to do which. There is
no turn to end, no response to cancel and no item to truncate: those commands change what the
caller hears and what the history holds, and nothing at the model.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit, urlunsplit

from telephony.audio.format import AudioFormat
from telephony.base.ids import Ids
from telephony.realtime.dialect import Brief
from telephony.realtime.events import ModelError, ModelEvent, SessionExpiring
from telephony.realtime.history import HistoryItem
from telephony.realtime.openai_live_config import LiveConfig
from telephony.realtime.openai_live_context import retold
from telephony.realtime.openai_live_delegations import LiveDelegations
from telephony.realtime.openai_live_fixtures import LiveFixtures
from telephony.realtime.openai_live_inbound import LiveInbound
from telephony.realtime.openai_live_session import LiveSession
from telephony.realtime.openai_live_speech import LiveSpeech
from telephony.realtime.openai_live_transcripts import LiveTranscripts
from telephony.realtime.stats import RealtimeStats
from telephony.realtime.traits import Traits
from telephony.realtime.wire import encode_object

READY_TIMEOUT_S = 10.0
LIVE_TRAITS = Traits(prebuffer_ms=80)
"""Audio comes in real time: what the prebuffer does not bridge is heard as a hole."""

SPEAK = "Speak to the caller now, as follows. "
RESPOND = "Respond to the caller now."
GO_ON = (
    "The caller did not hear your last words to their end. Respond to what came from them since; "
    "if nothing did, go on from where you were cut off."
)
_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
_PATH = "/live/sessions"
_APPEND_HEAD = b'{"type":"session.input_audio.append","audio":"'
_APPEND_TAIL = b'"}'


class OpenAILive:
    """One call's conversation with the model, over one connection after another.

    Fulfils :class:`telephony.realtime.dialect.Dialect`. ``wall_clock`` returns Unix seconds: the
    server tells in them when a session ends. With ``api_key_header`` the key goes into that header.
    ``notice`` is a recording in PCM16 at 24 kHz that is played before all else.
    """

    def __init__(
        self,
        config: LiveConfig,
        ids: Ids,
        audio_format: AudioFormat,
        brief: Brief,
        *,
        notice: bytes = b"",
        wall_clock: Callable[[], float] | None = None,
        api_key_header: str = "",
    ) -> None:
        session = self._session = LiveSession(
            config, ids, audio_format, brief.instructions, brief.tools, brief.history, wall_clock
        )
        # A conversation that goes on has had its notice.
        self._fixtures = LiveFixtures(session, b"" if brief.history else notice)
        self._speech = LiveSpeech(session)
        self._transcripts = LiveTranscripts(session, self._speech)
        self._delegations = LiveDelegations(session)
        self._inbound = LiveInbound(
            session, self._speech, self._transcripts, self._delegations, self._fixtures
        )
        self._api_key_header = api_key_header
        self._connected_at = 0.0

    # Where and how to connect

    def url(self, base_url: str) -> str:
        """Return the WebSocket URL under an API base such as ``https://api.openai.com/v1``.

        Raises ValueError for a base that is no http, https, ws or wss URL.
        """
        parts = urlsplit(base_url)
        if parts.scheme not in _SCHEMES or not parts.netloc:
            raise ValueError(f"base_url {base_url!r} must be a wss, ws, https or http URL")
        path = parts.path.rstrip("/")
        if not path.endswith(_PATH):
            path += _PATH
        return urlunsplit((_SCHEMES[parts.scheme], parts.netloc, path, parts.query, ""))

    def request_headers(self, api_key: str) -> dict[str, str]:
        """Return the handshake's headers; without a key (a local server) no authorization."""
        if not api_key:
            return {}
        if self._api_key_header:
            return {self._api_key_header: api_key}
        return {"Authorization": f"Bearer {api_key}"}

    # The connection

    def connection_made(self, now: float) -> None:
        """A socket is open: start the session on it, with the conversation so far."""
        self._connected_at = now
        self._session.stats.connections += 1
        self._session.begin()
        self._inbound.begin()
        self._session.ready_timer.start_at(READY_TIMEOUT_S, now)

    def connection_lost(self, now: float) -> None:
        """The socket is gone: whatever was being said ends here."""
        self._delegations.connection_lost()
        self._speech.finish("failed", "connection_lost")
        self._transcripts.close()
        self._inbound.end(now)
        self._session.end()
        self._fixtures.timer.stop()

    def receive_message(self, message: str | bytes | bytearray, now: float) -> None:
        """Take one frame of the server; nothing in it raises."""
        self._inbound.receive(message, now)

    def goodbye_messages(self) -> list[bytes]:
        """Return what ends the session, if it has started and the server has not ended it."""
        return [encode_object({"type": "session.close"})] if self._inbound.stands else []

    # Output

    def events_received(self) -> list[ModelEvent]:
        """Return and forget the events since the last call."""
        events = self._session.events
        if events:
            self._session.events = []
        return events

    def messages_to_send(self) -> list[bytes]:
        """Return and forget the control messages to send, in order; none may be dropped."""
        outbox = self._session.outbox
        if outbox:
            self._session.outbox = []
        return outbox

    def next_timer(self) -> float | None:
        """Return when :meth:`handle_timer` is due; 0.0 means now, None never."""
        session = self._session
        due = (
            session.ready_timer.due(),
            session.expiry_timer.due(),
            self._fixtures.timer.due(),
            self._speech.silent_at(),
            self._transcripts.next_timer(),
        )
        return min((at for at in due if at is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """Give up on what never came, and end what has fallen silent."""
        session = self._session
        if session.ready_timer.expired(now):
            text = f"the model did not start the session within {READY_TIMEOUT_S:g} s"
            session.events.append(ModelError("session_not_ready", text, fatal=True))
        if session.expiry_timer.expired(now):
            ends_at = self._inbound.expires_at
            left_s = None if ends_at is None else max(0.0, ends_at - now)
            session.events.append(SessionExpiring(now - self._connected_at, left_s))
        self._fixtures.handle_timer(now)
        self._speech.handle_timer(now)
        self._transcripts.handle_timer(now)

    # State

    @property
    def traits(self) -> Traits:
        return LIVE_TRAITS

    @property
    def stats(self) -> RealtimeStats:
        return self._session.stats

    @property
    def ready(self) -> bool:
        """Whether audio may be appended."""
        return self._session.ready

    @property
    def input_format(self) -> AudioFormat:
        """The format in which to append audio."""
        return self._session.audio_format

    @property
    def output_format(self) -> AudioFormat:
        """The format of the audio deltas; that of the input too."""
        return self._session.audio_format

    @property
    def active_response_id(self) -> str:
        """The response that is being spoken, or ""."""
        return self._speech.response_id

    @property
    def history(self) -> tuple[HistoryItem, ...]:
        """The conversation so far, in order."""
        return tuple(self._session.history)

    # Commands

    @staticmethod
    def append_message(audio: bytes) -> bytes:
        """Return the message that appends ``audio``; send it while :attr:`ready`, or drop it."""
        return _APPEND_HEAD + b2a_base64(audio, newline=False) + _APPEND_TAIL

    def commit_input(self) -> None:
        """Nothing to do: the model finds the caller's turns."""

    def create_response(
        self,
        instructions: str | None = None,
        *,
        tool_choice: str | None = None,
        out_of_band: bool = False,
    ) -> None:
        """Ask the model to speak; it does so when it sees fit, and stays in the conversation."""
        if instructions is not None:
            text = SPEAK + instructions
        else:
            text = GO_ON if self._speech.was_cut_off else RESPOND
        self._session.append("commentary", text, request=True)

    def cancel_response(self, response_id: str | None = None) -> None:
        """Let no more be heard of what is being said, and forget what was not yet asked for."""
        if response_id is None:
            self._session.withdraw_requests()
        self.fence(response_id or self._speech.response_id)

    def withdraw_response(self) -> bool:
        """Forget a :meth:`create_response` that still waits; returns whether one did."""
        return self._session.withdraw_requests()

    def fence(self, response_id: str) -> None:
        """Drop what else comes of this response: the model is muted here until it pauses."""
        item_id = self._speech.fence(response_id)
        if item_id:
            self._transcripts.cut_off(item_id)

    def truncate_item(self, item_id: str, audio_end_ms: int) -> None:
        """Keep in the history what was heard; the model is not told."""
        self._speech.truncate(item_id, audio_end_ms)

    def delete_item(self, item_id: str) -> None:
        """Take an item out of the history; the model is not told."""
        self._speech.delete(item_id)

    def send_tool_output(self, call_id: str, output: str, *, respond: bool = True) -> None:
        """Return the output of a call: what a delegation came to, or a tool of the backend's.

        Raises LocalProtocolError for a call that has its output already.
        """
        self._delegations.send_output(call_id, output, respond=respond)

    def report_progress(self, delegation_id: str, text: str) -> None:
        """Let the model know how a delegation goes on, without asking it to speak of that."""
        self._delegations.add_progress(delegation_id, text)

    def answer_approval(self, approval_id: str, approve: bool, reason: str = "") -> None:
        """Let the backend call the remote tool it asked about, or not."""
        self._delegations.answer_approval(approval_id, approve, reason)

    def add_user_text(self, text: str) -> None:
        """Add words of the caller that did not come as audio, such as digits pressed.

        They are no instructions: the model is only to know of them.
        """
        self._session.note("user", text)
        if not self._session.begun:
            return
        self._session.append("thinking", text)
        if self._session.has_backend and self._session.ready:
            content = [{"type": "input_text", "text": text}]
            item = {"type": "message", "role": "user", "content": content}
            self._session.send("response.item.create", item=item)

    def add_items(self, items: Iterable[HistoryItem]) -> None:
        """Take in a part of the conversation that came about in another session."""
        session = self._session
        news = list(items)
        for item in news:
            if item.kind == "function_call":
                session.calls.adopt(item.call_id)
            elif item.kind == "function_call_output":
                session.calls.settled(item.call_id)
            session.history.place(item)
        if session.begun and news:
            session.append("thinking", retold(news))

    def add_system_text(self, text: str) -> None:
        """Tell the model a fact; it stays in force to the end of the conversation."""
        self._session.note("system", text)
        if self._session.begun:
            self._session.append("instructions", text)

    def play_fixture(self, pcm16_24k: bytes) -> None:
        """Play a recording word for word; the model hears and says nothing meanwhile.

        Mono PCM16 at 24 kHz, 30 s at most; raises LocalProtocolError for anything else.
        """
        self._fixtures.play(pcm16_24k)

    def mute_input(self, muted: bool) -> None:
        """Let the model hear silence in place of the caller, or the caller again."""
        if self._session.ready:
            self._session.send(f"session.input_audio.{'mute' if muted else 'unmute'}")
