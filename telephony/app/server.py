"""The bot as one process: every part made from the settings and plugged together."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog
from prometheus_client import CollectorRegistry

from telephony import __version__
from telephony.app.after_calls import Transcripts
from telephony.app.model_apis import MODEL_APIS
from telephony.app.port_opener import CannotListen, PortOpener
from telephony.app.public_web import PublicWeb
from telephony.app.recording_checks import recording_rules, required_key
from telephony.app.remains import Remains
from telephony.app.settings import Settings
from telephony.app.settings_mapping import to_call_limits, to_media_config, to_outbound_line
from telephony.app.signalling import Signalling
from telephony.base.dialing import DialRequest
from telephony.base.ids import Ids
from telephony.base.interfaces import Leg
from telephony.calls import cause
from telephony.calls.agent import Agent
from telephony.calls.call import Call
from telephony.calls.cdr import CdrFile, cdr_of
from telephony.calls.hosted_call import HostedCall
from telephony.calls.hosted_cdr import cdr_of_hosted
from telephony.calls.model_source import ModelSource
from telephony.calls.outbound import Originator
from telephony.calls.prompt_audio import PromptAudio
from telephony.calls.reception import Reception
from telephony.calls.recorder import Recordings
from telephony.calls.recording_retention import Retention
from telephony.calls.services import CallObserver, CallServices, OpenRecorder, OutboundLine
from telephony.dialplan import Dialplan
from telephony.net.clock import monotonic, utc_now
from telephony.net.http import HttpServer
from telephony.net.model_socket import ModelSocket
from telephony.net.pacer import Pacer
from telephony.net.port_pool import PortPool
from telephony.net.sip_endpoint import Trace
from telephony.observe.loop_lag import LoopLag
from telephony.observe.metrics import Metrics
from telephony.sip.flow import Address
from telephony.stacks.rtp_media import MediaPlane
from telephony.stacks.trunk import Trunk
from telephony.stacks.trunks.directory import TrunkChanges

log = structlog.get_logger()

GOODBYE_S = 2.0
"""How long the last BYEs are given to be answered before the sockets close."""

__all__ = ["CannotListen", "Server", "with_base_url"]


class Server:
    """Everything between the settings and the sockets.

    Enter it as an async context; leaving ends what is left of the calls and closes everything.
    ``next_free_port`` replaces a listening port that is taken by the next free one.
    ``config_file`` is where the settings come from, for the programs that are started after calls.
    """

    def __init__(
        self,
        settings: Settings,
        dialplan: Dialplan,
        agents: Mapping[str, Agent],
        trunks: Sequence[Trunk] = (),
        *,
        observer: CallObserver | None = None,
        trace: Trace | None = None,
        next_free_port: bool = False,
        config_file: Path | None = None,
    ) -> None:
        self.settings = settings
        self.registry = CollectorRegistry(auto_describe=True)
        self.metrics = Metrics(self.registry, __version__)
        self._dialplan = dialplan
        self._agents = agents
        self._trunks = trunks
        self._observer = observer
        self._trace = trace
        self._opener = PortOpener(next_free_port=next_free_port)
        self._config_file = config_file
        self._transcripts: Transcripts | None = None
        self._ids = Ids(os.urandom)
        self._resources = AsyncExitStack()
        self._started = False
        self._remains = Remains(monotonic)
        self._cdr_file: CdrFile | None = None
        self.http: Address | None = None

    async def __aenter__(self) -> Server:
        try:
            await self._start()
        except BaseException:
            await self._resources.aclose()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._resources.aclose()

    @property
    def sip_udp(self) -> Address | None:
        return self.signalling.listening("udp")

    @property
    def sip_tcp(self) -> Address | None:
        return self.signalling.listening("tcp")

    @property
    def sip_tls(self) -> Address | None:
        return self.signalling.listening("tls")

    @property
    def ports_replaced(self) -> list[tuple[str, int, int]]:
        """What was to be listened on, the port wanted and the port got."""
        return self._opener.replaced

    @property
    def max_calls(self) -> int:
        """How many calls there may be at a time: the smaller of setting and stack."""
        setting, carried = self.settings.limits.max_calls, self.signalling.side.max_calls
        return setting if carried is None else min(setting, carried)

    async def drain(self) -> bool:
        """Refuse new calls, let the present ones finish; False when the deadline ended some.

        Registrations are taken back first, so that carriers send new calls elsewhere.
        """
        self.signalling.side.refuse_options(self.settings.limits.retry_after_s)
        unregistering = asyncio.create_task(self.signalling.unregister())
        finished = await self.reception.drain(self.settings.limits.drain_s)
        await unregistering
        return finished

    @property
    def trunks(self) -> Sequence[Trunk]:
        """The trunks in use now."""
        return tuple(self.signalling.directory.trunks.values())

    async def reload(self, trunks: Sequence[Trunk]) -> TrunkChanges:
        """Go on with these trunks and the certificates as they are now; calls go on.

        Raises CertificateProblem; the trunks are taken all the same.
        """
        changes = await self.signalling.reload(trunks)
        self.web.reload_certificates()
        return changes

    # Starting

    async def _start(self) -> None:
        loop = asyncio.get_running_loop()
        settings = self.settings
        if settings.cdr.file is not None:
            self._cdr_file = CdrFile(Path(settings.cdr.file))
            self._resources.callback(self._cdr_file.close)
        plane = self._media_plane(loop)
        self.signalling = Signalling(
            settings,
            self._trunks,
            plane,
            self.metrics,
            self._ids,
            self._incoming,
            self._opener,
            trace=self._trace,
        )
        services = self._services()
        self.reception = Reception(
            self._dialplan,
            services,
            max_calls=self.max_calls,
            context=settings.dialplan.context,
            report=self._report,
        )
        self.originator = Originator(self.reception, services)
        self._resources.push_async_callback(self._close_stack)
        self.web = await self._resources.enter_async_context(
            PublicWeb(settings, services, self.reception, self.metrics, os.environ)
        )
        await self._resources.enter_async_context(self.reception)
        await self.signalling.listen()
        await self._listen_http(loop)
        self._resources.push_async_callback(self.web.close_ports)
        await self.web.listen(self._opener)
        self._expose_counters(plane)
        self._log_stray_faults(loop)
        self.signalling.start()
        self._started = True

    def _log_stray_faults(self, loop: asyncio.AbstractEventLoop) -> None:
        """Write what no call claims to our log: a traceback on stderr is nobody's business."""
        before = loop.get_exception_handler()

        def report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
            log.error(
                "loop.failed", message=context.get("message"), exc_info=context.get("exception")
            )

        loop.set_exception_handler(report)
        self._resources.callback(loop.set_exception_handler, before)

    def _services(self) -> CallServices:
        return CallServices(
            agents=self._agents,
            connector=ModelSocket.connect,
            metrics=self.metrics,
            prompts=PromptAudio(country=self.settings.media.tones),
            clock=monotonic,
            ids=self._ids,
            limits=to_call_limits(self.settings.limits, self.settings.media),
            open_recorder=self._open_recorder(),
            recording=recording_rules(self.settings),
            observer=self._observer,
            dialer=self.signalling.dialer,
            referral_target=self.signalling.directory.referral_target,
            outbound_line=self._outbound_line,
        )

    def _outbound_line(self, request: DialRequest) -> OutboundLine:
        return to_outbound_line(self.settings.media, self.signalling.dialer.candidates(request))

    def _open_recorder(self) -> OpenRecorder | None:
        folder = self.settings.media.recording_dir
        if folder is None:
            return None
        directory, recording = Path(folder), self.settings.media.recording
        directory.mkdir(parents=True, exist_ok=True)
        recordings = Recordings(
            directory,
            os.urandom,
            default_format=recording.format,
            key=required_key(self.settings, os.environ),
        )
        self.metrics.expose_counters("recording", recordings.totals)
        self._resources.callback(recordings.close)
        if recording.keep_days is not None:
            retention = Retention(
                directory, recording.keep_days, lambda: utc_now().timestamp(), recordings.totals
            )
            self._resources.callback(asyncio.create_task(retention.run()).cancel)
        self._open_transcripts()
        return recordings.open

    def _open_transcripts(self) -> None:
        asked = self.settings.media.recording.transcribe
        if asked is not None:
            self._transcripts = Transcripts(self._config_file, asked.max_waiting)
            self.metrics.expose_counters("transcript", self._transcripts.totals)
            self._resources.push_async_callback(self._transcripts.close)

    def _media_plane(self, loop: asyncio.AbstractEventLoop) -> MediaPlane:
        settings, media = self.settings, self.settings.media
        pacer = Pacer(loop, on_error=lambda _, error: log.error("media.failed", exc_info=error))
        self._resources.callback(pacer.close)
        ports = PortPool(media.port_min, media.port_max, self._ids, media.port_quarantine_s)
        config = to_media_config(settings, media.advertised_host or settings.sip.advertised_host)
        return MediaPlane(config, loop, ports, pacer, monotonic, self._ids)

    async def _listen_http(self, loop: asyncio.AbstractEventLoop) -> None:
        lag = LoopLag(loop, monotonic, self.metrics.loop_lag)
        lag.start()
        self._resources.callback(lag.stop)
        http = self.settings.http
        if http.port is None:
            return
        server = HttpServer(
            self.registry,
            self._reasons_not_ready,
            lag.current_s,
            lambda: [*self.signalling.trunk_report(), *self.web.report()],
            self._load,
            routes=self.web.operator_routes,
        )
        self._resources.push_async_callback(server.close)

        async def listen(port: int) -> int:
            return (await server.start(http.host, port))[1]

        port = await self._opener.open("HTTP", (http.host, http.port), listen)
        self.http = (http.host, port)

    def _expose_counters(self, plane: MediaPlane) -> None:
        metrics = self.metrics
        metrics.expose_counters("pacer", plane.pacer.stats)
        metrics.expose_counters("media_ports", plane.ports.stats)
        metrics.expose_gauge(
            "media_ports_in_use", "RTP ports taken by calls.", lambda: plane.ports.in_use
        )

    # Running and ending

    def _incoming(self, leg: Leg, full_status: int | None) -> None:
        refusal = None if full_status is None else cause.trunk_full(full_status)
        self.reception.incoming(leg, refusal)

    def _load(self) -> dict[str, Any]:
        """Return how many calls there are, and how many there may be on this stack."""
        return {
            "stack": self.settings.sip.stack,
            "calls": self.reception.active_calls,
            "max_calls": self.max_calls,
        }

    def _reasons_not_ready(self) -> list[str]:
        if not self._started:
            return ["starting"]
        if self.reception.draining:
            return ["draining"]
        if self.reception.active_calls >= self.max_calls:
            return [f"every call is taken: {self.max_calls} at a time"]
        return []

    def _report(self, call: Call) -> None:
        """Write the call's record and its one line of log."""
        facts = call.leg.facts
        if call.direction == "inbound":
            full = call.ending is not None and call.ending.cause == cause.TRUNK_FULL
            self.metrics.trunk_call(facts.trunk, "inbound", "full" if full else call.result)
        now, today = monotonic(), utc_now()
        if isinstance(call, HostedCall):
            cdr = cdr_of_hosted(call, now, today)
        else:
            cdr = cdr_of(call, now, today)
        if self._cdr_file is not None:
            self._cdr_file.append(cdr)
        log.info("call.finished", **cdr.to_log_fields())
        recording = call.line.recording.path
        if self._transcripts is not None and recording is not None:
            self._transcripts.add(recording)
        self._remains.call_finished()

    async def _close_stack(self) -> None:
        """Take registrations back, wait a moment for the answers to our last BYEs, then close."""
        await self.signalling.stop()
        deadline = monotonic() + GOODBYE_S
        while self.signalling.side.dialogs and monotonic() < deadline:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.02)
        await self.signalling.side.close()


def at_url(source: ModelSource, base_url: str) -> ModelSource:
    """Return the model at another URL."""
    make_opener = MODEL_APIS[source.model.api].make_opener
    opener = make_opener(source.model, base_url, source.api_key) if make_opener else None
    return replace(source, base_url=base_url, opener=opener)


def with_base_url(agent: Agent, placeholder: str, base_url: str | Callable[[str], str]) -> Agent:
    """Return the agent with every ``base_url`` filled in that is ``placeholder``.

    ``base_url`` may depend on the model's API.
    """

    def address(source: ModelSource) -> str:
        return base_url if isinstance(base_url, str) else base_url(source.model.api)

    sources = [
        at_url(source, address(source)) if source.base_url == placeholder else source
        for source in agent.sources
    ]
    if tuple(sources) == agent.sources:
        return agent
    return replace(agent, source=sources[0], fallbacks=tuple(sources[1:]))
