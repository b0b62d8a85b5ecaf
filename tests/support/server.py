"""The whole bot in this process, on ports that the system chooses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from telephony.app.server import Server
from telephony.app.settings import Settings
from telephony.dialplan import parse_dialplan
from telephony.realtime.session_config import SessionConfig
from telephony.rehearsal.model_server import serve
from tests.support.models import openai_agent
from tests.support.ports import free_ports

DIALPLAN = """\
contexts:
  main:
    - name: everyone
      do:
        - connect_model: {agent: bot}
"""


def settings(**sections: dict[str, Any]) -> Settings:
    """Return settings on loopback with free ports; ``sections`` override keys."""
    rtp = free_ports(200)
    values: dict[str, dict[str, Any]] = {
        "sip": {"host": "127.0.0.1", "udp_port": 0, "tcp_port": 0},
        "media": {"port_min": rtp, "port_max": rtp + 199},
        "http": {"port": 0},
    }
    for name, section in sections.items():
        values[name] = {**values.get(name, {}), **section}
    return Settings.model_validate(values)


@asynccontextmanager
async def running_server(wanted: Settings | None = None, **options: Any) -> AsyncIterator[Server]:
    """Run a server whose one agent is the rehearsal model."""
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(serve())
        agent = openai_agent(
            base_url=model.base_url, session=SessionConfig(model="rehearsal"), greeting="Greet."
        )
        plan = parse_dialplan([("test.yaml", DIALPLAN)], agents=["bot"])
        yield await stack.enter_async_context(
            Server(wanted or settings(), plan, {"bot": agent}, **options)
        )
