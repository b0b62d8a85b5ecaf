"""PJSIP's callbacks of one call: what they say is copied out and crosses to the loop.

They run in threads of PJSIP's, or in that of a command of ours while it is carried out. A director
must be gone before the library is, and PJSIP may still be in one whose call has just ended: they
belong to :class:`Directors` alone, everybody else knows them by their keys.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, Final

import pjsua2 as pj

from telephony.stacks.pjsip.call_events import (
    ByeReceived,
    CallEvent,
    CallState,
    CountsRead,
    DigitPressed,
    MediaChanged,
    ReferAnswered,
    ReferNotified,
    ResponseReceived,
    StateChanged,
)
from telephony.stacks.pjsip.frame_port import FramePort, FramePorts
from telephony.stacks.pjsip.guarded import guarded
from telephony.stacks.pjsip.sdp_filter import keep_codecs
from telephony.stacks.pjsip.stream_counts import StreamReading, read_stream

STATES: Final[dict[int, CallState]] = {
    int(pj.PJSIP_INV_STATE_CALLING): "calling",
    int(pj.PJSIP_INV_STATE_INCOMING): "incoming",
    int(pj.PJSIP_INV_STATE_EARLY): "early",
    int(pj.PJSIP_INV_STATE_CONNECTING): "connecting",
    int(pj.PJSIP_INV_STATE_CONFIRMED): "confirmed",
    int(pj.PJSIP_INV_STATE_DISCONNECTED): "disconnected",
}

_RECEIVES = int(pj.PJMEDIA_DIR_DECODING)
_SENDS = int(pj.PJMEDIA_DIR_ENCODING)
_HELD = int(pj.PJSUA_CALL_MEDIA_REMOTE_HOLD)
_USABLE = (int(pj.PJSUA_CALL_MEDIA_ACTIVE), int(pj.PJSUA_CALL_MEDIA_LOCAL_HOLD), _HELD)

Tell = Callable[[int, CallEvent], None]
"""Is told the key of a call and what happened; in any thread."""


class CallDirector(pj.Call):  # type: ignore[misc]
    """``call_id`` is PJSIP's number of an incoming call. ``codecs`` are those of our SDP."""

    def __init__(
        self,
        key: int,
        account: Any,
        ports: FramePorts,
        tell: Tell,
        codecs: Sequence[str],
        call_id: int = int(pj.PJSUA_INVALID_ID),
    ) -> None:
        super().__init__(account, call_id)
        self.key = key
        self.port: FramePort | None = None
        self.audio_index = -1
        self._ports = ports
        self._tell = tell
        self._codecs = tuple(codecs)

    @guarded
    def onCallState(self, prm: Any) -> None:  # noqa: N802
        info = self.getInfo()
        state = STATES.get(int(info.state))
        if state is not None:
            if state == "disconnected":
                self._part(prm.e)
            status, reason = int(info.lastStatusCode), str(info.lastReason)
            target = str(info.remoteContact).strip("<>")
            self._tell(self.key, StateChanged(state, status, reason, target))

    def _part(self, event: Any) -> None:
        """Tell what is known of the end before the end itself."""
        # The refusal of a call of ours is told as its transaction, but after this.
        self._tell_transaction(event)
        # Media goes after this; its last numbers are for the record of the call.
        self.read_counts(final=True)
        self.audio_index = -1
        if self.port is not None:
            self.port.queues.close()

    @guarded
    def onCallMediaState(self, prm: Any) -> None:  # noqa: N802
        # What it holds is its own: without it the elements are freed memory.
        info = self.getInfo()
        for media in info.media:
            if int(media.type) == pj.PJMEDIA_TYPE_AUDIO and int(media.status) in _USABLE:
                self._connect(media)
                return

    def _connect(self, media: Any) -> None:
        """Let audio pass in the directions agreed on; nothing of or to a peer that holds us."""
        index, direction = int(media.index), int(media.dir)
        held = int(media.status) == _HELD
        receives = bool(direction & _RECEIVES) and not held
        sends = bool(direction & _SENDS)
        if self.port is None:
            self.port = self._ports.acquire()
        port = self.port
        if direction:
            audio = self.getAudioMedia(index)
            _let_pass(audio, port, receives)
            _let_pass(port, audio, sends)
        takes_digits, codec = False, ""
        if direction:
            stream = self.getStreamInfo(index)
            takes_digits, codec = int(stream.audTxEventPt) >= 0, str(stream.codecName).lower()
        self.audio_index = index
        self._tell(self.key, MediaChanged(sends, receives, takes_digits, port.queues, codec))

    @guarded
    def onStreamDestroyed(self, prm: Any) -> None:  # noqa: N802
        if int(prm.streamIdx) == self.audio_index:
            self.read_counts(final=True)

    def read_counts(self, final: bool = False) -> None:
        """Report what the stream has counted; ``final``: it goes now."""
        reading = self.count()
        if reading is not None:
            self._tell(self.key, CountsRead(reading, final))

    def count(self) -> StreamReading | None:
        """Return what the stream has counted, None without one: 5 us."""
        if self.audio_index < 0:
            return None
        try:
            return read_stream(self.getStreamStat(self.audio_index))
        except pj.Error:
            return None

    @guarded
    def onCallTsxState(self, prm: Any) -> None:  # noqa: N802
        self._tell_transaction(prm.e)

    def _tell_transaction(self, happened: Any) -> None:
        if int(happened.type) != pj.PJSIP_EVENT_TSX_STATE:
            return
        event = happened.body.tsxState
        if int(event.type) != pj.PJSIP_EVENT_RX_MSG:
            return
        transaction = event.tsx
        method, ours = str(transaction.method), int(transaction.role) == pj.PJSIP_ROLE_UAC
        status, reason = int(transaction.statusCode), str(transaction.statusText)
        if ours and method == "INVITE":
            self._tell(self.key, ResponseReceived(status, reason, octets(event.src.rdata.wholeMsg)))
        elif ours and method == "REFER" and status >= 200:
            self._tell(self.key, ReferAnswered(status, reason))
        elif not ours and method == "BYE":
            self._tell(self.key, ByeReceived(octets(event.src.rdata.wholeMsg)))

    @guarded
    def onDtmfDigit(self, prm: Any) -> None:  # noqa: N802
        by_rtp = int(prm.method) == pj.PJSUA_DTMF_METHOD_RFC2833
        self._tell(self.key, DigitPressed(str(prm.digit), by_rtp))

    @guarded
    def onCallTransferStatus(self, prm: Any) -> None:  # noqa: N802
        status, final = int(prm.statusCode), bool(prm.finalNotify)
        self._tell(self.key, ReferNotified(status, str(prm.reason), final))

    @guarded
    def onCallTransferRequest(self, prm: Any) -> None:  # noqa: N802
        # PJSIP would call the target itself, past our trunks and their limits.
        prm.statusCode = pj.PJSIP_SC_DECLINE

    @guarded
    def onCallReplaceRequest(self, prm: Any) -> None:  # noqa: N802
        # PJSIP would answer at once, before anybody knows who is calling.
        prm.statusCode = pj.PJSIP_SC_DECLINE

    @guarded
    def onCallSdpCreated(self, prm: Any) -> None:  # noqa: N802
        ours, theirs = str(prm.sdp.wholeSdp), str(prm.remSdp.wholeSdp)
        kept = keep_codecs(ours, self._codecs, theirs)
        if kept != ours:
            prm.sdp.wholeSdp = kept


def octets(text: str) -> bytes:
    """Return a message as it came: SWIG reads octets that are no UTF-8 as surrogates."""
    return text.encode("utf-8", "surrogateescape")


def _let_pass(source: Any, sink: Any, wanted: bool) -> None:
    if wanted:
        source.startTransmit(sink)
        return
    try:
        source.stopTransmit(sink)
    except pj.Error:
        # It was not connected.
        return


class Directors:
    """Every director there is, by key, and those of calls that are over.

    One that dies hangs up whatever call has its number at PJSIP, and takes the callbacks from it:
    when PJSIP has given the number to another call, it stays until that one is over as well.
    """

    def __init__(self) -> None:
        self._keys = itertools.count(1)
        self._by_key: dict[int, CallDirector] = {}
        self._over: list[CallDirector] = []

    def __len__(self) -> int:
        return len(self._by_key)

    def new_key(self) -> int:
        return next(self._keys)

    def add(self, director: CallDirector) -> None:
        self._by_key[director.key] = director

    def get(self, key: int) -> CallDirector | None:
        return self._by_key.get(key)

    @property
    def waiting(self) -> int:
        """How many stay for the sake of another call."""
        return len(self._over)

    def discard(self, key: int) -> FramePort | None:
        """Let a director die, and return its port; in a thread that PJSIP knows."""
        director = self._by_key.pop(key, None)
        if director is None:
            return None
        self._over.append(director)
        port = director.port
        del director
        self.bury()
        return port

    def bury(self) -> None:
        """Let those die whose numbers no call has now; in a thread that PJSIP knows."""
        self._over = [director for director in self._over if director.isActive()]

    def all(self) -> list[CallDirector]:
        return list(self._by_key.values())

    def clear(self) -> None:
        self._by_key.clear()
        self._over.clear()
