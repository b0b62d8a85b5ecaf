"""The rehearsed provider, driven by the vendor's own client."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from google import genai
from google.genai import types
from openai import APIStatusError, AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection

from telephony.base.ids import Ids
from telephony.realtime.gemini_config import GeminiConfig
from telephony.realtime.gemini_model import GeminiModel
from telephony.realtime.hosted.client_tokens import token_request
from telephony.rehearsal.hosted.call import RehearsedCall
from telephony.rehearsal.hosted.server import HostedProvider, serve_hosted
from telephony.rehearsal.model_server import serve
from tests.support.eventually import eventually
from tests.support.scenes import script

MODEL = "gpt-realtime-2.1"
TURNS = "  - {when: greeting, say: short_answer}\n  - {when: {turn: 1}, say: goodbye}\n"


@dataclass
class Scene:
    provider: HostedProvider
    client: AsyncOpenAI

    def ring(self) -> tuple[RehearsedCall, str]:
        call = self.provider.ring()
        return call, call.ids["realtime"]

    async def answered(self) -> tuple[RehearsedCall, str]:
        call, call_id = self.ring()
        await self.client.realtime.calls.accept(call_id, type="realtime", model=MODEL)
        return call, call_id


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with (
        serve(scenario=script(TURNS)) as model,
        serve_hosted(model, api_key="sk-1") as provider,
        AsyncOpenAI(api_key="sk-1", base_url=provider.base_url, max_retries=0) as client,
    ):
        provider.speed = 8.0
        yield Scene(provider, client)


async def test_the_client_accepts_refers_and_hangs_up(scene: Scene) -> None:
    call, call_id = scene.ring()
    await scene.client.realtime.calls.accept(
        call_id,
        type="realtime",
        model=MODEL,
        instructions="Be kind.",
        audio={"output": {"voice": "cedar"}},
    )
    assert call.state == "answered"
    assert call.session["instructions"] == "Be kind."
    await scene.client.realtime.calls.refer(call_id, target_uri="tel:+15550123")
    await call.over.wait()
    assert call.did == [("accept", "realtime"), ("refer", "tel:+15550123")]
    second, second_id = await scene.answered()
    await scene.client.realtime.calls.hangup(second_id)
    assert second.state == "ended"


async def test_the_client_rejects_with_a_status_or_without(scene: Scene) -> None:
    call, call_id = scene.ring()
    await scene.client.realtime.calls.reject(call_id)
    other, other_id = scene.ring()
    await scene.client.realtime.calls.reject(other_id, status_code=486)
    assert (call.did, other.did) == ([("reject", 603)], [("reject", 486)])


async def test_the_client_drives_live_calls_too(scene: Scene) -> None:
    call = scene.provider.ring()
    sessions = scene.client.live.sessions
    live_id = call.ids["live"]
    session = {"type": "live", "model": "gpt-live-1", "audio": {"output": {"voice": "marin"}}}
    await sessions.accept(live_id, session=session)  # type: ignore[arg-type]
    assert call.surface == "live"
    await sessions.refer(live_id, target_uri="sip:desk@pbx.example")
    await call.over.wait()
    rejected = scene.provider.ring()
    await sessions.reject(rejected.ids["live"], status_code=480)
    assert rejected.did == [("reject", 480)]


async def drained(sideband: AsyncRealtimeConnection) -> None:
    """Read to the end, which raises."""
    while True:
        await sideband.recv()


async def refused(coroutine: object, status: int) -> None:
    with pytest.raises(APIStatusError) as caught:
        await coroutine  # type: ignore[misc]
    assert caught.value.status_code == status


async def test_what_the_api_refuses(scene: Scene) -> None:
    calls, sessions = scene.client.realtime.calls, scene.client.live.sessions
    await refused(calls.accept("rtc_unknown", type="realtime", model=MODEL), 404)
    call, call_id = scene.ring()
    await refused(calls.accept(call_id, type="realtime"), 400)
    await refused(calls.accept(call_id, type="realtime", model="gpt-live-1"), 400)
    await refused(calls.accept(call_id, type="realtime", model=MODEL, instructions=7), 400)  # type: ignore[arg-type]
    await refused(calls.refer(call_id, target_uri="tel:+1"), 409)
    await refused(calls.hangup(call_id), 409)
    with_format = {
        "type": "live",
        "model": "gpt-live-1",
        "audio": {"format": {"type": "audio/pcmu", "rate": 8000}},
    }
    await refused(sessions.accept(call.ids["live"], session=with_format), 400)  # type: ignore[arg-type]
    assert call.state == "ringing"
    await calls.accept(call_id, type="realtime", model=MODEL)
    # The first accept wins, over either API.
    live = {"type": "live", "model": "gpt-live-1"}
    await refused(sessions.accept(call.ids["live"], session=live), 409)  # type: ignore[arg-type]
    await refused(calls.accept(call_id, type="realtime", model=MODEL), 409)
    await refused(calls.refer(call_id, target_uri="mailto:x"), 400)
    call.caller_leaves()
    await refused(calls.hangup(call_id), 404)


async def test_a_wrong_key_is_refused_everywhere(scene: Scene) -> None:
    call, call_id = scene.ring()
    async with AsyncOpenAI(
        api_key="sk-2", base_url=scene.provider.base_url, max_retries=0
    ) as other:
        await refused(other.realtime.calls.accept(call_id, type="realtime", model=MODEL), 401)
        await refused(other.realtime.client_secrets.create(), 401)
        with pytest.raises(Exception, match="401"):
            async with other.realtime.connect(call_id=call_id):
                pass
    assert call.state == "ringing"


async def test_the_client_gets_a_secret(scene: Scene) -> None:
    secret = await scene.client.realtime.client_secrets.create(
        expires_after={"anchor": "created_at", "seconds": 60},
        session={"type": "realtime", "model": MODEL},
    )
    assert secret.value.startswith("ek_")
    assert secret.session.model == MODEL
    await refused(
        scene.client.realtime.client_secrets.create(
            expires_after={"anchor": "created_at", "seconds": 7201}
        ),
        400,
    )


@pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession")
@pytest.mark.filterwarnings("ignore:The SDK's token creation implementation is experimental")
async def test_googles_client_asks_for_a_token_as_we_do(scene: Scene) -> None:
    root = scene.provider.base_url.removesuffix("/v1")
    options = types.HttpOptions(base_url=root, api_version="v1alpha")
    client = genai.Client(api_key="sk-1", http_options=options)
    constraints = types.LiveConnectConstraints(
        model="gemini-3.8-live",
        config=types.LiveConnectConfig(
            response_modalities=[types.Modality.AUDIO], system_instruction="Be kind."
        ),
    )
    token = await client.aio.auth_tokens.create(
        config=types.CreateAuthTokenConfig(uses=1, live_connect_constraints=constraints)
    )
    assert token.name is not None
    assert token.name.startswith("auth_tokens/")
    await client.aio.aclose()
    model = GeminiModel(GeminiConfig(model="gemini-3.8-live"))
    ours = token_request(model, "Be kind.", root, 60, Ids.seeded(1), time.time())
    ((_, path, theirs),) = scene.provider.requests
    assert ours.url == root + path
    assert theirs.keys() <= ours.body.keys()
    setup = ours.body["bidiGenerateContentSetup"]
    assert theirs["bidiGenerateContentSetup"].keys() <= setup.keys()
    assert theirs["bidiGenerateContentSetup"]["model"] == setup["model"]


async def test_the_client_takes_part_over_the_sideband(scene: Scene) -> None:
    call, call_id = await scene.answered()
    kinds: list[str] = []
    async with scene.client.realtime.connect(call_id=call_id) as sideband:
        first = await sideband.recv()
        assert first.type == "session.created"
        assert first.session.model == MODEL  # type: ignore[union-attr]
        await sideband.session.update(session={"type": "realtime", "instructions": "Be kind."})
        await sideband.response.create()
        while "output_audio_buffer.stopped" not in kinds:
            kinds.append((await sideband.recv()).type)
        call.say("caller_yes")
        call.press("5")
        while "input_audio_buffer.dtmf_event_received" not in kinds:
            kinds.append((await sideband.recv()).type)
        while kinds.count("output_audio_buffer.stopped") < 2:
            kinds.append((await sideband.recv()).type)
    assert "response.output_audio.delta" not in kinds
    for kind in (
        "session.updated",
        "output_audio_buffer.started",
        "response.output_audio_transcript.delta",
        "response.done",
        "input_audio_buffer.speech_started",
        "input_audio_buffer.committed",
    ):
        assert kind in kinds
    # The call goes on without a sideband.
    await eventually(lambda: call.sidebands == 0)
    assert call.state == "answered"


async def test_a_caller_who_speaks_cuts_the_model_off(scene: Scene) -> None:
    call, call_id = await scene.answered()
    kinds: list[str] = []
    async with scene.client.realtime.connect(call_id=call_id) as sideband:
        await sideband.response.create()
        while "output_audio_buffer.started" not in kinds:
            kinds.append((await sideband.recv()).type)
        call.say("caller_yes")
        while "conversation.item.truncated" not in kinds:
            kinds.append((await sideband.recv()).type)
        assert "output_audio_buffer.cleared" in kinds
        # So does the client, when it wants to.
        await sideband.response.create()
        kinds.clear()
        while "output_audio_buffer.started" not in kinds:
            kinds.append((await sideband.recv()).type)
        await sideband.output_audio_buffer.clear()
        while "output_audio_buffer.cleared" not in kinds:
            kinds.append((await sideband.recv()).type)


async def test_the_client_changes_the_session_but_no_voice_that_was_heard(scene: Scene) -> None:
    _, call_id = await scene.answered()
    async with scene.client.realtime.connect(call_id=call_id) as sideband:
        await sideband.response.create()
        while (await sideband.recv()).type != "output_audio_buffer.stopped":
            pass
        tool = {"type": "function", "name": "bill", "parameters": {"type": "object"}}
        await sideband.session.update(
            session={"type": "realtime", "instructions": "You do bills.", "tools": [tool]}  # type: ignore[typeddict-item,list-item]
        )
        updated = await sideband.recv()
        assert updated.type == "session.updated"
        assert updated.session.instructions == "You do bills."  # type: ignore[union-attr]
        assert updated.session.tools[0].name == "bill"  # type: ignore[union-attr,index]
        audio = {"output": {"voice": "cedar"}}
        await sideband.session.update(session={"type": "realtime", "audio": audio})  # type: ignore[typeddict-item]
        refused = await sideband.recv()
        assert (refused.type, refused.error.code) == ("error", "cannot_update_voice")  # type: ignore[union-attr]


async def test_audio_of_a_sideband_is_refused_and_the_call_goes_on(scene: Scene) -> None:
    _, call_id = await scene.answered()
    async with scene.client.realtime.connect(call_id=call_id) as sideband:
        await sideband.recv()
        await sideband.input_audio_buffer.append(audio="AAAA")
        error = await sideband.recv()
        assert error.type == "error"
        await sideband.session.update(session={"type": "realtime"})
        assert (await sideband.recv()).type == "session.updated"


async def test_the_end_of_the_call_closes_its_sidebands(scene: Scene) -> None:
    call, call_id = await scene.answered()
    async with scene.client.realtime.connect(call_id=call_id) as sideband:
        await sideband.recv()
        call.caller_leaves()
        with pytest.raises(Exception, match="1000"):
            await drained(sideband)
    with pytest.raises(Exception, match="404"):
        async with scene.client.realtime.connect(call_id=call_id):
            pass


async def test_the_client_takes_part_in_a_live_call(scene: Scene) -> None:
    call = scene.provider.ring()
    live_id = call.ids["live"]
    session = {"type": "live", "model": "gpt-live-1"}
    await scene.client.live.sessions.accept(live_id, session=session)  # type: ignore[arg-type]
    async with scene.client.live.sideband.connect(session_id=live_id) as sideband:
        await sideband.send(
            {
                "type": "session.commentary.append",
                "content": "Speak now. Hello there.",
                "delegation_id": None,
            }
        )
        kinds = [(await sideband.recv()).type for _ in range(5)]
        said = ["session.output_transcript.delta", "session.output_audio.delta"]
        assert kinds == ["session.commentary.appended", *said, *said]
        call.press("5")
        digit = await sideband.recv()
        assert (digit.type, digit.event) == ("transport.dtmf.received", "5")  # type: ignore[union-attr]
        await sideband.send({"type": "transport.dtmf.send", "event": "1"})
        assert (await sideband.recv()).type == "transport.dtmf.sent"
        call.caller_leaves()
        closed = await sideband.recv()
        assert (closed.type, closed.reason) == ("session.closed", "remote_hangup")  # type: ignore[union-attr]
    assert call.live is not None
    assert call.live.context == [("commentary", "Speak now. Hello there.")]
