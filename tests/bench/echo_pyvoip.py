"""pyVoIP that says back what it hears: ``python -m tests.bench.echo_pyvoip PORT SERVER_PORT``.

As its documentation has it: a thread per call that reads and writes 8-bit audio. It sends every
message to its server, which is the caller here; nobody takes its registration, so none is sent.
"""

from __future__ import annotations

import signal
import sys
import threading

# The order matters: its modules import each other.
from pyVoIP.VoIP import CallState, InvalidStateError, VoIPCall, VoIPPhone

from pyVoIP.SIP import SIPClient  # isort: skip

HOST = "127.0.0.1"
FRAME_BYTES = 160


def echo(call: VoIPCall) -> None:
    try:
        call.answer()
        while call.state == CallState.ANSWERED:
            call.write_audio(call.read_audio(FRAME_BYTES))
    except InvalidStateError:
        pass


def main() -> None:
    port, server_port = int(sys.argv[1]), int(sys.argv[2])
    SIPClient.register = lambda self: True
    SIPClient.deregister = lambda self: True
    phone = VoIPPhone(
        HOST,
        server_port,
        "echo",
        "",
        callCallback=echo,
        myIP=HOST,
        sipPort=port,
        rtpPortLow=50500,
        rtpPortHigh=50998,
    )
    phone.start()
    done = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: done.set())
    done.wait()
    phone.stop()


if __name__ == "__main__":
    main()
