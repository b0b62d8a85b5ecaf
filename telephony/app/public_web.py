"""What others reach over HTTP: webhooks of hosted calls, tokens for browsers, on ports for them."""

from __future__ import annotations

import ssl
from collections import defaultdict
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import structlog
from aiohttp import web

from telephony.app.hosted_control import HostedControl
from telephony.app.hosted_secrets import required_secrets, secret, token_secret, webhook_secret
from telephony.app.port_opener import PortOpener
from telephony.app.settings import Settings
from telephony.app.settings_mapping import to_tls_config
from telephony.app.token_mint import TokenMint
from telephony.app.web_settings import HostedSip, WebPort
from telephony.base.interfaces import LegFacts
from telephony.calls.hosted_call import Hosting
from telephony.calls.hosted_reception import HostedReception
from telephony.calls.reception import Reception
from telephony.calls.services import CallServices
from telephony.net.clock import monotonic, unix_now_s
from telephony.net.json_client import JsonClient
from telephony.net.listen import Address
from telephony.net.tls import TlsContexts
from telephony.net.token_endpoint import TokenEndpoint
from telephony.net.web_listener import WebListener
from telephony.net.webhook_endpoint import WebhookEndpoint
from telephony.observe.metrics import Metrics
from telephony.realtime.hosted.incoming import IncomingCall, WebhookEvent
from telephony.realtime.hosted.webhook import WebhookGate
from telephony.stacks.hosted_facts import facts_of_hosted
from telephony.stacks.numbers import NumberPlan

log = structlog.get_logger()

_Place = tuple[str, int, bool]


class PublicWeb:
    """Everything of the sections ``hosted_sip`` and ``tokens``; nothing when both are off.

    Enter it before the reception whose calls it brings, and :meth:`listen` after that; leaving
    tells the provider of the calls that ended last. ``operator_routes`` are for the port of
    ``http``. Raises ConfigError for secrets that are missing.
    """

    def __init__(
        self,
        settings: Settings,
        services: CallServices,
        reception: Reception,
        metrics: Metrics,
        environ: Mapping[str, str],
    ) -> None:
        required_secrets(settings, environ)
        self.hosted: HostedReception | None = None
        self.operator_routes: list[web.RouteDef] = []
        self.listening: dict[str, Address] = {}
        self._settings = settings
        self._services = services
        self._metrics = metrics
        self._environ = environ
        self._client = JsonClient()
        self._routes: defaultdict[_Place, list[web.RouteDef]] = defaultdict(list)
        self._names: defaultdict[_Place, list[str]] = defaultdict(list)
        self._listeners: list[WebListener] = []
        self._tls: TlsContexts | None = None
        self._resources = AsyncExitStack()
        if settings.hosted_sip.enabled:
            self._offer("hosted_sip", settings.hosted_sip, [self._webhooks(reception)])
        if settings.tokens.enabled:
            self._offer("tokens", settings.tokens, self._tokens())
        if settings.hosted_sip.enabled or settings.tokens.enabled:
            metrics.expose_counters("provider_api", self._client.stats)

    async def __aenter__(self) -> PublicWeb:
        self._resources.push_async_callback(self._client.close)
        if self.hosted is not None:
            await self._resources.enter_async_context(self.hosted)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._resources.aclose()

    def _offer(self, name: str, section: WebPort, routes: list[web.RouteDef]) -> None:
        if section.port is None:
            self.operator_routes += routes
            return
        # Two sections may name one port; port 0 is another one each time.
        place = (section.host, section.port or -len(self._names) - 1, section.tls)
        self._routes[place] += routes
        self._names[place].append(name)

    # Listening

    async def listen(self, opener: PortOpener) -> None:
        """Open the ports; raises PortInUse, CannotListen, CertificateProblem."""
        for (host, port, tls), routes in self._routes.items():
            listener = WebListener(routes)
            context = self._server_context() if tls else None

            async def start(
                number: int,
                listener: WebListener = listener,
                host: str = host,
                context: ssl.SSLContext | None = context,
            ) -> int:
                return (await listener.start(host, number, context))[1]

            names = self._names[host, port, tls]
            bound = await opener.open("HTTP", (host, max(port, 0)), start)
            self._listeners.append(listener)
            self._metrics.expose_counters(f"web_{names[0]}", listener.stats)
            self.listening.update(dict.fromkeys(names, (host, bound)))
            log.info("web.listening", sections=names, host=host, port=bound, tls=tls)

    async def close_ports(self) -> None:
        """Take no further requests. Twice is harmless."""
        for listener in self._listeners:
            await listener.close()
        self._listeners.clear()

    def _server_context(self) -> ssl.SSLContext | None:
        if self._tls is None:
            # OpenAI and browsers show no certificate, whatever SIP clients are asked for.
            config = replace(to_tls_config(self._settings.tls), verify_client="no")
            self._tls = TlsContexts(config)
        return self._tls.server

    def reload_certificates(self) -> None:
        """Show the certificate that is in the files now; raises CertificateProblem."""
        if self._tls is None or self._tls.server is None:
            return
        # Listeners keep their context: check the files with another one, then let it read them.
        config = TlsContexts(self._tls.config).config
        if config.certificate is not None:
            self._tls.server.load_cert_chain(config.certificate, config.private_key)

    # Hosted calls

    def _webhooks(self, reception: Reception) -> web.RouteDef:
        section = self._settings.hosted_sip
        secrets = [webhook_secret(text, self._environ) for text in section.secrets]
        gate = WebhookGate(secrets)
        headers = _authorization(section, secret(section.api_key or "", self._environ))
        plan = NumberPlan(region=section.region)

        def read_facts(call: IncomingCall) -> LegFacts:
            return facts_of_hosted(call, section.trunk, plan, section.trust_identity)

        send = HostedControl(
            self._client, section.base_url, headers, timeout_s=section.request_timeout_s
        )
        self.hosted = HostedReception(
            reception,
            self._services,
            Hosting(section.base_url, headers, section.event_wait_s, section.transfer_model),
            send,
            read_facts,
            max_calls=section.max_calls,
        )
        self._metrics.expose_counters("webhook", gate.stats)
        self._metrics.expose_counters("hosted", self.hosted.stats)
        endpoint = WebhookEndpoint(gate, self._take, unix_now_s, monotonic)
        return endpoint.route(section.path)

    def _take(self, event: WebhookEvent) -> bool:
        assert self.hosted is not None
        assert event.call is not None
        return self.hosted.incoming(event.call)

    def report(self) -> list[dict[str, Any]]:
        """Return how hosted calls are doing, in the shape of a trunk."""
        if self.hosted is None:
            return []
        calls = self.hosted.calls
        return [
            {
                "name": self._settings.hosted_sip.trunk,
                "way": "hosted",
                "up": True,
                "servers": [],
                "registered": None,
                "registered_with": "",
                "registered_for_s": 0,
                "registration_error": "",
                "calls": {"inbound": len(calls), "outbound": 0},
                "hosted_calls": [call.report() for call in calls],
            }
        ]

    # Tokens

    def _tokens(self) -> list[web.RouteDef]:
        section = self._settings.tokens
        secrets = [token_secret(text, self._environ) for text in section.secrets]
        mint = TokenMint(
            self._services.agents,
            self._client,
            self._services.ids,
            section.expires_s,
            timeout_s=section.request_timeout_s,
        )
        endpoint = TokenEndpoint(
            secrets,
            section.agents,
            section.allowed_origins,
            section.per_minute,
            mint,
            monotonic,
        )
        self._metrics.expose_counters("token", endpoint.stats)
        return endpoint.routes(section.path)


def _authorization(section: HostedSip, key: str) -> dict[str, str]:
    return {"api-key": key} if section.auth == "api_key" else {"Authorization": f"Bearer {key}"}
