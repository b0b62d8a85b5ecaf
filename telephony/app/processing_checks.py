"""Audio processing that the configuration asks for, and what is missing for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from telephony.app.settings_sources import LoadedSettings
from telephony.app.trunks import LoadedTrunk
from telephony.audio.processing import MODULE, is_installed
from telephony.base.errors import Problem

_MESSAGE = f"audio processing needs the module {MODULE}, which is not installed"
_FIX = "pip install 'telephony-voice-bot[apm]', or turn it off"
_KEYS = ("echo_cancellation", "noise_suppression", "gain_control")
_OFF = (False, "off")


def check_processing(loaded: LoadedSettings, trunks: Sequence[LoadedTrunk]) -> Iterator[Problem]:
    """Find every key that turns processing on while its library is missing."""
    if is_installed():
        return
    processing = loaded.settings.media.processing
    for name in _KEYS:
        if getattr(processing, name) != "off":
            yield loaded.problem(("media", "processing", name), _MESSAGE, _FIX)
    for item in trunks:
        if item.document is None or item.trunk is None:
            continue
        own = item.trunk.media.processing
        for name in _KEYS:
            key = ("processing", name)
            # What a trunk leaves out was reported at the settings.
            if getattr(own, name) not in _OFF and item.document.written(key) == key:
                yield item.problem(key, _MESSAGE, _FIX)
