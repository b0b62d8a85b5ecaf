"""A proxy that records its route, just enough of RFC 3261 section 16 to test user agents."""

from __future__ import annotations

from telephony.sip.events import Event
from telephony.sip.flow import Address, Flow, Outgoing
from tests.sip.wire import header, headers


class FakeProxy:
    """Forwards requests by Route or to ``callee``, responses by Via; looks like a UserAgent."""

    def __init__(self, address: Address, callee: Address) -> None:
        self._address = address
        self._callee = callee
        self._outbox: list[Outgoing] = []
        self.requests: list[str] = []

    def receive_message(self, data: bytes, flow: Flow, now: float) -> None:
        head, _, content = data.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        if lines[0].startswith("SIP/"):
            target = self._forward_response(lines)
        else:
            target = self._forward_request(lines, flow)
        text = "\r\n".join(lines).encode()
        self._outbox.append(
            Outgoing(text + b"\r\n\r\n" + content, Flow("udp", target, self._address))
        )

    def _forward_response(self, lines: list[str]) -> Address:
        lines.remove(next(line for line in lines if line.startswith("Via:")))
        via = next(line for line in lines if line.startswith("Via:"))
        host, _, port = via.split(" ")[2].partition(";")[0].partition(":")
        return host, int(port)

    def _forward_request(self, lines: list[str], flow: Flow) -> Address:
        self.requests.append(lines[0].split(" ")[0])
        data = "\r\n".join(lines).encode()
        branch = header(data, "Via").partition("branch=")[2].partition(";")[0]
        host, port = self._address
        lines.insert(1, f"Via: SIP/2.0/UDP {host}:{port};branch={branch}p")
        routes = headers(data, "Route")
        if not routes:
            lines.insert(1, f"Record-Route: <sip:{host}:{port};lr>")
            return self._callee
        assert routes[0] == f"<sip:{host}:{port};lr>"
        lines.remove(f"Route: {routes[0]}")
        target = lines[0].split(" ")[1].rpartition("@")[2].removeprefix("sip:").partition(";")[0]
        to_host, _, to_port = target.partition(":")
        return to_host, int(to_port or 5060)

    def messages_to_send(self) -> list[Outgoing]:
        messages, self._outbox = self._outbox, []
        return messages

    def events_received(self) -> list[Event]:
        return []

    def next_timer(self) -> float | None:
        return None

    def handle_timer(self, now: float) -> None: ...
