"""What a leg sends: its sink's frames as payloads of the codec agreed on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from telephony.audio import g711
from telephony.audio.codecs import FACES
from telephony.audio.format import AudioFormat, Codec
from telephony.audio.frame_converter import FrameConverter
from telephony.audio.g722 import G722Decoder, G722Encoder
from telephony.audio.opus import OpusDecoder, OpusEncoder
from telephony.audio.opus_packet import CLOCK_RATE_HZ, packet_samples
from telephony.rtp.payload_format import PayloadFormat
from telephony.sdp.opus_parameters import opus_wishes

PAYLOAD_FORMATS: Final[Mapping[str, PayloadFormat]] = {
    "g722": PayloadFormat(open_decoder=lambda frame_ms: G722Decoder()),
    "opus": PayloadFormat(CLOCK_RATE_HZ, packet_samples, OpusDecoder),
}

SHORTEST_PACKET_MS = 5
"""Nobody needs them shorter, and no peer may have us send a thousand in a second."""

Encode = Callable[[bytes], bytes]


def packets_per_frame(codec: Codec, ptime_ms: int, max_ptime_ms: float | None) -> int:
    """Return into how many packets a frame goes for a peer with that ``maxptime`` (RFC 8866 6.4).

    A payload of Opus can't be cut.
    """
    if max_ptime_ms is None or max_ptime_ms >= ptime_ms or codec == "opus":
        return 1
    longest_ms = max(max_ptime_ms, SHORTEST_PACKET_MS)
    counts = (count for count in range(2, ptime_ms) if ptime_ms % count == 0)
    return next((count for count in counts if ptime_ms / count <= longest_ms), 1)


class _Encoder(Protocol):
    def encode(self, pcm16: bytes) -> bytes: ...


class WireCodec:
    """``encode`` makes a payload of a frame of ``face``; None while the two are the same.

    Coders keep their state from frame to frame, over every negotiation that leaves the codec and
    its parameters as they were.
    """

    __slots__ = ("_face", "_parameters", "_ptime_ms", "codec", "encode")

    def __init__(self, codec: Codec, ptime_ms: int) -> None:
        self.codec = codec
        self.encode: Encode | None = None
        self._ptime_ms = ptime_ms
        self._face: AudioFormat | None = None
        self._parameters = ""

    def change(self, codec: Codec, parameters: str, face: AudioFormat) -> None:
        """Send ``codec`` from now on, as ``parameters``, the peer's ``fmtp``, wants it."""
        if (codec, parameters, face) == (self.codec, self._parameters, self._face):
            return
        self.codec, self._parameters, self._face = codec, parameters, face
        self.encode = self._encode_of(codec, parameters, face)

    def _encode_of(self, codec: Codec, parameters: str, face: AudioFormat) -> Encode | None:
        wire = FACES[codec]
        encoder = _encoder(codec, parameters)
        if wire == face:
            return None if encoder is None else encoder.encode
        if wire.sample_rate_hz == face.sample_rate_hz:
            # G.711 of the other law, or PCM at 8 kHz.
            return lambda frame: g711.encode(wire, g711.decode(face, frame))
        convert = FrameConverter(face, wire, self._ptime_ms).convert
        if encoder is None:
            return convert
        encode = encoder.encode
        return lambda frame: encode(convert(frame))


def _encoder(codec: Codec, parameters: str) -> _Encoder | None:
    if codec == "g722":
        return G722Encoder()
    if codec == "opus":
        return OpusEncoder(opus_wishes(parameters))
    return None
