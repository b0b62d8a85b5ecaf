"""Sends junk to a SIP port: ``python -m tests.bench.junk PORT PER_SECOND SECONDS``.

From a few hundred addresses of loopback come random octets, cut and oversized messages, probes of
scanners, responses to nothing, and well-formed requests of strangers. Prints datagrams per second.
"""

from __future__ import annotations

import random
import socket
import sys
import time

SOURCES = 200
BURST = 50


def probe(method: str, agent: str, number: int) -> bytes:
    return (
        f"{method} sip:{number}@127.0.0.1 SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP 127.1.2.3:5060;branch=z9hG4bK{number};rport\r\n"
        f"From: <sip:{number}@127.0.0.1>;tag={number}\r\nTo: <sip:{number}@127.0.0.1>\r\n"
        f"Call-ID: {number}\r\nCSeq: 1 {method}\r\nContact: <sip:{number}@127.1.2.3>\r\n"
        f"Max-Forwards: 70\r\nUser-Agent: {agent}\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def junk(draw: random.Random) -> bytes:
    """Return one datagram of the mix."""
    kind, number = draw.random(), draw.randrange(10**6)
    if kind < 0.3:
        return draw.randbytes(draw.randrange(1, 400))
    if kind < 0.5:
        whole = probe("INVITE", "x", number)
        return whole[: draw.randrange(20, len(whole))]
    if kind < 0.7:
        return probe(draw.choice(("OPTIONS", "REGISTER", "INVITE")), "friendly-scanner", number)
    if kind < 0.8:
        return probe("REGISTER", "phone", number)
    if kind < 0.9:
        return b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKnone\r\n\r\n"
    return b"INVITE sip:a@b SIP/2.0\r\n" + b"X-Fill: " + b"a" * 1200 + b"\r\n"


def main() -> None:
    port, per_s, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    draw = random.Random(1)
    sockets = []
    for index in range(SOURCES):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.setblocking(False)
        sender.bind((f"127.{index // 100 + 1}.{index % 100}.9", 0))
        sender.connect(("127.0.0.1", port))
        sockets.append(sender)
    messages = [junk(draw) for _ in range(5000)]
    sent = 0
    started_at = time.monotonic()
    while (now := time.monotonic() - started_at) < seconds:
        for _ in range(min(BURST, int(now * per_s) - sent)):
            try:
                sockets[sent % SOURCES].send(messages[sent % len(messages)])
            except OSError:
                pass
            sent += 1
        if int((time.monotonic() - started_at) * per_s) <= sent:
            time.sleep(BURST / per_s / 2)
    print(sent / seconds)


if __name__ == "__main__":
    main()
