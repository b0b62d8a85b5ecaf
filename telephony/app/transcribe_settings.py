"""What ``media.recording.transcribe`` says, and what of it is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from telephony.app.agents import LoadedAgent
from telephony.app.secret_references import look_up, referred_variable
from telephony.app.settings import Settings, Transcribe
from telephony.app.settings_sources import LoadedSettings
from telephony.app.speech_url import url_problem
from telephony.base.errors import Problem
from telephony.base.schema_problems import did_you_mean

if TYPE_CHECKING:
    from telephony.net.speech.file_transcriber import FileTranscriberConfig

_SECTION = ("media", "recording", "transcribe")
_KEY_VARIABLE = "OPENAI_API_KEY"
_HTTP = {"ws": "http", "wss": "https"}


def to_file_transcriber(settings: Settings, environ: Mapping[str, str]) -> FileTranscriberConfig:
    """Return the server to ask; without a section, OpenAI's with the usual variable's key."""
    from telephony.net.speech.file_transcriber import FileTranscriberConfig

    asked = settings.media.recording.transcribe or Transcribe()
    default_url = Transcribe.model_fields["base_url"].default
    variable = None if asked.api_key is None else referred_variable(asked.api_key)
    if variable is None and asked.base_url == default_url:
        variable = _KEY_VARIABLE
    return FileTranscriberConfig.model_validate(
        {
            "via": asked.via,
            "api_key": (look_up(variable, environ) or "") if variable else "",
            "base_url": asked.base_url,
            "model": asked.model,
            "language": asked.language,
            "summary_model": asked.summary_model,
            "timeout_s": asked.timeout_s,
        }
    )


def agent_server(agents: Iterable[LoadedAgent], name: str) -> dict[str, Any]:
    """Return the URL and the key of an agent's model; raises ValueError with its remedy."""
    by_name = {loaded.name: loaded for loaded in agents}
    loaded = by_name.get(name)
    if loaded is None:
        raise ValueError(f"there is no agent {name!r}\nfix: {did_you_mean(name, by_name)}")
    if loaded.agent is None or loaded.missing:
        problems = "; ".join(str(problem) for problem in (*loaded.problems, *loaded.missing))
        raise ValueError(f"agent {name!r} cannot be used: {problems}")
    source = loaded.agent.source
    parts = urlsplit(source.base_url)
    if not source.model.api.startswith("openai") or not parts.hostname:
        fix = "name an agent on OpenAI, or a server with --base-url"
        raise ValueError(f"agent {name!r} has no OpenAI-compatible server\nfix: {fix}")
    url = urlunsplit(parts._replace(scheme=_HTTP.get(parts.scheme, parts.scheme)))
    return {"base_url": url, "api_key": source.api_key or ""}


def check_transcribe(loaded: LoadedSettings, environ: Mapping[str, str]) -> Iterator[Problem]:
    """Find what would keep recordings from being transcribed."""
    media = loaded.settings.media
    asked = media.recording.transcribe
    if asked is None:
        return
    if media.recording_dir is None:
        message = "nothing is recorded"
        yield loaded.problem(_SECTION, message, "name a directory in media.recording_dir")
    variable = None if asked.api_key is None else referred_variable(asked.api_key)
    if problem := url_problem(asked.base_url, has_key=variable is not None):
        yield loaded.problem((*_SECTION, "base_url"), problem.message, problem.fix)
    own_url = asked.base_url == Transcribe.model_fields["base_url"].default
    wanted = variable or (_KEY_VARIABLE if own_url else None)
    if wanted is not None and look_up(wanted, environ) is None:
        message = f"the environment variable {wanted} is not set"
        place = (*_SECTION, "api_key") if variable else _SECTION
        yield loaded.problem(place, message, f"export {wanted}=...")
