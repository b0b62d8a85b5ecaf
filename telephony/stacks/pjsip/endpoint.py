"""PJSIP's endpoint: the library from its creation to its end.

There may be one in a process at a time; after :meth:`Library.close` there may be another.
"""

from __future__ import annotations

import atexit
import gc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import pjsua2 as pj
import structlog

from telephony.base.errors import LocalProtocolError
from telephony.stacks.pjsip.config import CODEC_IDS, PjsipConfig
from telephony.stacks.pjsip.frame_bytes import octets_are_plain
from telephony.stacks.pjsip.frame_port import FrameFormat, FramePorts
from telephony.stacks.pjsip.frame_queues import FrameQueueStats
from telephony.stacks.pjsip.guarded import guarded
from telephony.stacks.pjsip.log_writer import PjsipLog
from telephony.stacks.pjsip.symbols import (
    MORE_THAN_ANY_BUILD,
    max_calls_in_use,
    silence_before_start,
)
from telephony.stacks.pjsip.worker import Worker

log = structlog.get_logger()

LOG_LEVEL = 2
"""Errors and warnings of PJSIP; its level 3 is a line for every message."""

_SRTP_SUITES_AT_LEAST = ("AES_CM_128_HMAC_SHA1_80",)


@dataclass(frozen=True, slots=True)
class RejectedCall:
    """A call that PJSIP refused by itself, most often because it has no room for it."""

    status: int
    reason: str


class EndpointListener(Protocol):
    """Hears what belongs to no account. Called in threads of PJSIP's."""

    def call_rejected(self, call: RejectedCall) -> None: ...

    def account_for(self, account_id: int) -> int: ...


class PjsipEndpoint(pj.Endpoint):  # type: ignore[misc]
    """The director of PJSIP's callbacks for the whole process."""

    listener: EndpointListener | None = None

    @guarded
    def onRejectedIncomingCall(self, prm: Any) -> None:  # noqa: N802
        if self.listener is not None:
            self.listener.call_rejected(RejectedCall(int(prm.statusCode), str(prm.reason)))

    @guarded
    def onSelectAccount(self, prm: Any) -> None:  # noqa: N802
        if self.listener is not None:
            prm.accountIndex = self.listener.account_for(int(prm.accountIndex))


class Library:
    """Opens and closes PJSIP; ``endpoint``, ``ports`` and what is read of it are there between.

    Everything but :meth:`open` and :meth:`close` is for the worker's thread.
    """

    _open: ClassVar[Library | None] = None

    def __init__(self, worker: Worker, config: PjsipConfig, wake: Callable[[], None]) -> None:
        self._worker = worker
        self._config = config
        self._wake = wake
        self._writer: PjsipLog | None = None
        self.let_go: Callable[[], None] = lambda: None
        """Drops every object of PJSIP's while the library lives; in the worker's thread."""
        self.endpoint: Any = None
        self.ports: FramePorts | None = None
        self.frames = FrameQueueStats()
        self.max_calls = 0
        self.version = ""
        self.srtp_suites: tuple[str, ...] = ()

    async def open(self, listener: EndpointListener) -> None:
        """Create and configure the library; raises ``pj.Error`` when it refuses."""
        if Library._open is not None:
            raise LocalProtocolError("PJSIP is in use in this process already")
        Library._open = self
        self._worker.start()
        try:
            await self._worker.run(lambda: self._create(listener))
            self._register_thread()
        except BaseException:
            await self.close()
            raise
        atexit.register(self._close_at_exit)

    def _create(self, listener: EndpointListener) -> None:
        silence_before_start()
        if endpoint_lives():
            raise LocalProtocolError("an endpoint of PJSIP's is left over in this process")
        # No variable of a frame may hold it: the traceback of an error would keep it alive.
        self.endpoint = PjsipEndpoint()
        self.endpoint.libCreate()
        self._writer = PjsipLog()
        self.endpoint.libInit(self._configuration())
        self.endpoint.listener = listener
        # No sound card: a clock of PJSIP's own drives the conference bridge.
        self.endpoint.audDevManager().setNullDev()
        self._choose_codecs()
        self.max_calls = max_calls_in_use()
        self.version = str(self.endpoint.libVersion().full)
        self.srtp_suites = self._suites()
        config = self._config
        frame = FrameFormat(config.bridge_rate_hz, config.media.ptime_ms, octets_are_plain())
        self.ports = FramePorts(frame, self.frames, self._wake)
        self.endpoint.libStart()
        log.info(
            "pjsip.started",
            version=self.version,
            max_calls=self.max_calls,
            frames="plain" if frame.plain else "copied one octet at a time",
        )

    def _configuration(self) -> Any:
        config, made = self._config, pj.EpConfig()
        made.logConfig.level = LOG_LEVEL
        made.logConfig.consoleLevel = 0
        made.logConfig.msgLogging = 0
        made.logConfig.writer = self._writer
        # What is more than there is room for is cut down without a word.
        made.uaConfig.maxCalls = MORE_THAN_ANY_BUILD
        made.uaConfig.threadCnt = 1
        made.uaConfig.userAgent = config.product
        media, jitter = made.medConfig, config.media.jitter
        media.clockRate = media.sndClockRate = config.bridge_rate_hz
        media.channelCount = 1
        media.audioFramePtime = media.ptime = config.media.ptime_ms
        media.ecTailLen = 0
        # Silence is sent as well: NAT bindings and timeouts of peers live on it.
        media.noVad = True
        media.jbInit = jitter.start_ms
        # It counts in frames: less than one would be none.
        media.jbMinPre = max(jitter.min_ms, config.media.ptime_ms)
        media.jbMaxPre = jitter.max_ms
        media.jbMax = jitter.drop_over_ms
        return made

    def _choose_codecs(self) -> None:
        """Speak our codecs alone, in the order of the settings; each leg narrows it further."""
        codecs = self._config.media.codecs
        wanted = [CODEC_IDS[codec] for codec in codecs if codec in CODEC_IDS]
        wanted += [codec for codec in CODEC_IDS.values() if codec not in wanted]
        for codec in self.endpoint.codecEnum2():
            name = str(codec.codecId)
            priority = 255 - wanted.index(name) if name in wanted else 0
            self.endpoint.codecSetPriority(name, priority)

    def _suites(self) -> tuple[str, ...]:
        enum = getattr(self.endpoint, "srtpCryptoEnum", None)
        if enum is None:
            return _SRTP_SUITES_AT_LEAST
        return tuple(str(suite) for suite in enum() if str(suite) != "NULL")

    def _register_thread(self) -> None:
        """Let objects of PJSIP's die in the thread of the loop as well."""
        if not self.endpoint.libIsThreadRegistered():
            self.endpoint.libRegisterThread("loop")

    async def close(self) -> None:
        """End every call without a word, and the library. Twice is harmless."""
        if Library._open is not self:
            return
        atexit.unregister(self._close_at_exit)
        try:
            await self._worker.run(self._destroy)
        finally:
            await self._worker.stop()
            Library._open = None

    def _destroy(self) -> None:
        if self.endpoint is None:
            return
        self.endpoint.listener = None
        self.let_go()
        try:
            # The clock has to stand still before its ports go.
            self.endpoint.audDevManager().setNoDev()
        except pj.Error:
            log.debug("pjsip.clock_not_stopped")
        if self.ports is not None:
            self.ports.destroy()
            self.ports = None
        gc.collect()
        self.endpoint.libDestroy(pj.PJSUA_DESTROY_NO_NETWORK)
        self._writer = None
        self.endpoint = None
        gc.collect()

    def create_transport(self, kind: int, transport: Any) -> int:
        """Open a socket; raises ``pj.Error``."""
        return int(self.endpoint.transportCreate(kind, transport))

    def _close_at_exit(self) -> None:
        """End the library in a process that forgot to: its threads must not outlive Python."""
        if self.endpoint is not None:
            self._register_thread()
            self._destroy()


def endpoint_lives() -> bool:
    """Tell whether there is an endpoint: to make a second one would end the process."""
    try:
        pj.Endpoint.instance()
    except pj.Error:
        return False
    return True
