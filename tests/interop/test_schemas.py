"""Every message of product and emulators for which a vendor's own schema file has a schema is valid by it; the rest are listed."""

import json
import urllib.parse
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest
import requests
from elevenlabs import ElevenLabs
from twilio.rest import Client

import schemas
from agents import RECEPTION, XI_API_KEY
from carrier_side import ACCOUNT_SID, AUTH_TOKEN, CALLER, OUR_NUMBER, Loopback, until
from conftest import elevenlabs_arguments, running, serve_settings, twilio_arguments
from programs import ROOT
from recorder import Recorder
from schemas import AGENT_REST, CARRIER_REST, AgentSocket, Rest, broken, message_kind

FIXTURES = ROOT / "tests" / "fixtures"
ACCOUNT = "/2010-04-01/Accounts/AC00000000000000000000000000000001"
CALL = f"{ACCOUNT}/Calls/CA00000000000000000000000000000001"

missing = [name for name in (schemas.AGENT_SOCKET, AGENT_REST, CARRIER_REST) if not schemas.spec_file(name)]
pytestmark = pytest.mark.skipif(
    bool(missing), reason=f"the vendors' schema files are not in {schemas.SPECS}: {', '.join(missing)}"
)

# Keys that the vendor's clients or other documents have and the schema file lacks, by message.
NEWER_KEYS = {
    "agent_response": ["response_id", "attachments"],
    "client_tool_call": ["expects_response"],
}

# What a fixture gets wrong on purpose, to see that it is borne.
ON_PURPOSE = {
    "rest_call_list.json": ["calls/1/status: 'on-hold' is not one of"],
}

# Which request or answer of the carrier's REST API a fixture is.
REST_FIXTURES = {
    "rest_account_trial.json": ("GET", f"{ACCOUNT}.json", 200),
    "rest_call_completed.json": ("GET", f"{CALL}.json", 200),
    "rest_call_queued.json": ("POST", f"{ACCOUNT}/Calls.json", 201),
    "rest_call_list.json": ("GET", f"{ACCOUNT}/Calls.json", 200),
    "rest_recording.json": ("POST", f"{CALL}/Recordings.json", 201),
    "rest_create_call.form": ("POST", f"{ACCOUNT}/Calls.json", None),
    "rest_create_call_full.form": ("POST", f"{ACCOUNT}/Calls.json", None),
}


# The same for the agents' REST API.
AGENT_REST_FIXTURES = {
    "agent.json": ("GET", "/v1/convai/agents/agent_1", 200),
    "agents.json": ("GET", "/v1/convai/agents", 200),
    "conversation.json": ("GET", "/v1/convai/conversations/conv_1", 200),
    "create_agent.json": ("POST", "/v1/convai/agents/create", None),
    "created_agent.json": ("POST", "/v1/convai/agents/create", 200),
    "error_422.json": ("POST", "/v1/convai/agents/create", 422),
    "signed_url.json": ("GET", "/v1/convai/conversation/get-signed-url", 200),
    "voice.json": ("GET", "/v1/voices/voice_1", 200),
    "voices.json": ("GET", "/v2/voices", 200),
}


@pytest.fixture(scope="module")
def agent_socket():
    return AgentSocket()


@pytest.fixture(scope="module")
def agent_rest():
    return Rest(AGENT_REST)


@pytest.fixture(scope="module")
def carrier_rest():
    return Rest(CARRIER_REST)


@pytest.fixture(scope="module")
def unschemed(request):
    """Names of messages without a schema. Printed when the module is done, so that nobody takes silence for a check."""
    names: set[str] = set()
    yield names
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print("\nno schema of the vendor's for:")
        for name in sorted(names):
            print(f"  {name}")


def socket_errors(socket: AgentSocket, pointer: str, message: dict) -> list[str]:
    known = {key for key in NEWER_KEYS.get(message_kind(message), [])}
    pruned = {
        name: {key: value for key, value in part.items() if key not in known} if isinstance(part, dict) else part
        for name, part in message.items()
    }
    return socket.errors(pointer, pruned)


def test_the_check_can_fail(agent_socket, carrier_rest, agent_rest):
    good = {"type": "audio", "audio_event": {"audio_base_64": "/w==", "event_id": 1}}
    pointer = agent_socket.pointer(good)
    assert agent_socket.errors(pointer, good) == []
    damages = [
        lambda event: event.update(event_id="1"),
        lambda event: event.pop("event_id"),
        lambda event: event.update(eventId=1),
        lambda event: event.update(audio_base_64="?"),
    ]
    for damage in damages:
        assert agent_socket.errors(pointer, broken(good, ["audio_event"], damage))
    call = json.loads((FIXTURES / "twilio" / "rest_call_completed.json").read_text(encoding="utf-8"))
    pointer = carrier_rest.answer_pointer("GET", f"{CALL}.json", 200)
    damages = [
        lambda call: call.update(status="over"),
        lambda call: call.update(sid="CA1"),
        lambda call: call.update(duration=42),
        lambda call: call.update(start_time="2026-12-01T15:00:05Z?"),
        lambda call: call.update(callSid="CA1"),
    ]
    for damage in damages:
        assert carrier_rest.errors(pointer, broken(call, [], damage))
    create = carrier_rest.request_pointer("POST", f"{ACCOUNT}/Calls.json", "application/x-www-form-urlencoded")
    for body in ("To=%2B12125550113&Statuscallback=x", "Timeout=soon", "Method=PUT", "Record=yes"):
        value = carrier_rest.form_value("POST", f"{ACCOUNT}/Calls.json", body)
        assert carrier_rest.errors(create, value), body
    pointer = agent_rest.answer_pointer("GET", "/v1/convai/conversation/get-signed-url?agent_id=a", 200)
    assert agent_rest.errors(pointer, {"signed_url": "wss://a"}) == []
    assert agent_rest.errors(pointer, {"signedUrl": "wss://a"})


def agent_messages():
    """Every line of the socket's fixtures, with who says it."""
    for file in ("server_messages.jsonl", "client_messages.jsonl"):
        lines = (FIXTURES / "elevenlabs" / file).read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines, 1):
            message = json.loads(line)
            yield pytest.param(file.split("_")[0], message, id=f"{file}:{number} {message_kind(message)}")


def test_agent_fixtures_are_there():
    assert len(list(agent_messages())) > 40


@pytest.mark.parametrize(("side", "message"), list(agent_messages()))
def test_agent_messages(side, message, agent_socket, unschemed):
    direction = agent_socket.to_agent if side == "client" else agent_socket.from_agent
    other = agent_socket.from_agent if side == "client" else agent_socket.to_agent
    kind = message_kind(message)
    assert kind not in other, "said by the wrong side"
    if kind in direction:
        assert socket_errors(agent_socket, direction[kind], message) == []
    else:
        assert side == "server", "we say nothing that the agent does not know"
        unschemed.add(f"ElevenLabs agent socket: {kind}")


@pytest.mark.parametrize("path", sorted((FIXTURES / "elevenlabs" / "rest").iterdir()), ids=lambda path: path.name)
def test_agent_rest_fixtures(path, agent_rest, unschemed):
    value = json.loads(path.read_text(encoding="utf-8"))
    if path.name.startswith("error_") and path.name != "error_422.json":
        unschemed.add(f"ElevenLabs REST error: {path.stem}")
        return
    method, target, status = AGENT_REST_FIXTURES[path.name]
    if status is None:
        pointer = agent_rest.request_pointer(method, target, "application/json")
    else:
        pointer = agent_rest.answer_pointer(method, target, status)
    assert agent_rest.errors(pointer, value) == []


@pytest.mark.parametrize("path", sorted((FIXTURES / "elevenlabs" / "webhooks").iterdir()), ids=lambda path: path.name)
def test_agent_webhook_fixtures(path, unschemed):
    assert json.loads(path.read_text(encoding="utf-8"))["type"] == path.stem
    unschemed.add(f"ElevenLabs webhook: {path.stem}")


def carrier_fixtures():
    return sorted(path for path in (FIXTURES / "twilio").iterdir() if path.is_file())


@pytest.mark.parametrize("path", carrier_fixtures(), ids=lambda path: path.name)
def test_carrier_fixtures(path, carrier_rest, unschemed):
    if path.name not in REST_FIXTURES:
        kinds = {"stream": "media stream message", "error": "REST error", "rest": "REST body"}
        kind = kinds.get(path.name.split("_")[0], "webhook")
        assert kind != "REST body", f"say in REST_FIXTURES which request or answer {path.name} is"
        unschemed.add(f"Twilio {kind}: {path.stem}")
        return
    method, target, status = REST_FIXTURES[path.name]
    text = path.read_text(encoding="utf-8")
    if status is None:
        pointer = carrier_rest.request_pointer(method, target, "application/x-www-form-urlencoded")
        value = carrier_rest.form_value(method, target, text.strip())
    else:
        pointer = carrier_rest.answer_pointer(method, target, status)
        value = json.loads(text)
    errors = carrier_rest.errors(pointer, value)
    for wanted in ON_PURPOSE.get(path.name, []):
        assert any(error.startswith(wanted) for error in errors), f"no longer wrong on purpose: {wanted}"
        errors = [error for error in errors if not error.startswith(wanted)]
    assert errors == []


def exchange_errors(rest: Rest, exchange, unschemed: set[str], vendor: str) -> list[str]:
    """What is wrong with a recorded request and its answer."""
    path = urllib.parse.urlsplit(exchange.target).path
    found = rest.operation(exchange.method, path)
    if not found:
        return [f"{exchange.method} {path}: {vendor} has no such operation"]
    what = f"{exchange.method} {found[2]}"
    errors = []
    if exchange.request:
        pointer = rest.request_pointer(exchange.method, path, exchange.request_type)
        if pointer is None:
            errors.append(f"{what}: takes no body of type {exchange.request_type}")
        else:
            is_form = exchange.request_type == "application/x-www-form-urlencoded"
            value = rest.form_value(exchange.method, path, exchange.request) if is_form else json.loads(exchange.request)
            errors += [f"{what}, request: {error}" for error in rest.errors(pointer, value)]
    documented = {parameter["name"] for parameter in found[1].get("parameters", []) if parameter["in"] == "query"}
    for name, _ in urllib.parse.parse_qsl(urllib.parse.urlsplit(exchange.target).query):
        if name not in documented:
            errors.append(f"{what}: {vendor} documents no query parameter {name}")
    pointer = rest.answer_pointer(exchange.method, path, exchange.status)
    if pointer is None:
        unschemed.add(f"{vendor} REST: {what} answered {exchange.status}")
    else:
        errors += [f"{what}, {exchange.status}: {error}" for error in rest.errors(pointer, json.loads(exchange.answer))]
    return errors


@dataclass
class Recorded:
    """What went over the wire between product and emulators, and between the official clients and the emulators."""

    agent: Recorder
    carrier: Recorder
    public: Recorder


@pytest.fixture(scope="module")
def recorded(home):
    """A caller rings, talks to the agent and hangs up; then the official clients go through the REST APIs."""
    with ExitStack() as stack:
        legs = Recorded(*(stack.enter_context(Recorder()) for _ in range(3)))
        start = lambda *arguments: stack.enter_context(contextmanager(running)(*arguments))
        agent = start("recorded-elevenlabs", elevenlabs_arguments(), home)
        carrier = start("recorded-twilio", twilio_arguments(), home)
        legs.agent.upstream, legs.carrier.upstream = agent.url, carrier.url
        settings = serve_settings(
            home,
            "recorded",
            CLEARLINE__SERVER__PUBLIC_URL=legs.public.url,
            CLEARLINE__CARRIER__TWILIO__API_URL=legs.carrier.url,
            CLEARLINE__AGENTS__ELEVENLABS__API_URL=legs.agent.url,
            ELEVENLABS_API_KEY=XI_API_KEY,
            CLEARLINE__AGENTS__DEFAULT=f"elevenlabs:{RECEPTION}",
        )
        server = start("recorded-server", ["serve"], home, settings)
        legs.public.upstream = server.url
        ring(carrier, legs.public.url)
        client = Client(ACCOUNT_SID, AUTH_TOKEN, http_client=Loopback(legs.carrier.url))
        until(lambda: [call for call in client.calls.list() if call.status == "completed"], limit_s=60)
        go_through_the_carriers_rest(client)
        go_through_the_agents_rest(ElevenLabs(base_url=legs.agent.url, api_key=XI_API_KEY))
    yield legs


def ring(carrier, public_url: str) -> None:
    """Somebody calls our number at the emulated carrier, as its own interface has it."""
    body = {"from": CALLER, "to": OUR_NUMBER, "phone": "visitor", "voice_url": f"{public_url}/webhooks/voice"}
    answer = requests.post(f"{carrier.url}/_emulator/inbound", json=body, timeout=10)
    assert answer.ok, answer.text


def go_through_the_carriers_rest(client: Client) -> None:
    call = client.calls.create(to=CALLER, from_=OUR_NUMBER, twiml='<Response><Pause length="60"/><Hangup/></Response>')
    until(lambda: client.calls(call.sid).fetch().status == "in-progress")
    recording = client.calls(call.sid).recordings.create(recording_channels="dual")
    client.calls(call.sid).recordings(recording.sid).update(status="paused", pause_behavior="silence")
    client.calls(call.sid).recordings(recording.sid).fetch()
    client.calls(call.sid).recordings.list()
    client.calls(call.sid).update(status="completed")
    until(lambda: client.calls(call.sid).fetch().status == "completed")
    client.calls.list(status="completed", to=CALLER)
    client.api.accounts(ACCOUNT_SID).fetch()


def go_through_the_agents_rest(client: ElevenLabs) -> None:
    agents = client.conversational_ai.agents
    made = agents.create(conversation_config={"agent": {"first_message": "Hello."}}, name="Schemas", tags=["check"])
    agents.update(made.agent_id, conversation_config={"tts": {"agent_output_audio_format": "ulaw_8000"}})
    agents.get(made.agent_id)
    agents.list(page_size=2)
    found = client.voices.search(page_size=1)
    client.voices.get(found.voices[0].voice_id)
    client.conversational_ai.conversations.get_signed_url(agent_id=made.agent_id)


def test_the_recording_is_of_a_whole_call(recorded):
    for leg in (recorded.agent, recorded.carrier, recorded.public):
        assert leg.problems == [], "the proxy lost something"
        assert leg.exchanges
    said = [message_kind(json.loads(message.text)) for message in recorded.agent.messages]
    for kind in (
        "conversation_initiation_client_data",
        "conversation_initiation_metadata",
        "user_audio_chunk",
        "agent_response",
        "audio",
        "user_transcript",
        "ping",
        "pong",
    ):
        assert kind in said, f"{kind} was never said: {sorted(set(said))}"
    events = [json.loads(message.text)["event"] for message in recorded.public.messages]
    assert {"connected", "start", "media", "mark", "stop"} <= set(events)


def test_messages_of_the_agents_socket(recorded, agent_socket, unschemed):
    errors = set()
    for message in recorded.agent.messages:
        value = json.loads(message.text)
        kind = message_kind(value)
        direction = agent_socket.to_agent if message.to_server else agent_socket.from_agent
        other = agent_socket.from_agent if message.to_server else agent_socket.to_agent
        if kind in direction:
            errors |= {f"{kind}: {error}" for error in socket_errors(agent_socket, direction[kind], value)}
        elif kind in other:
            errors.add(f"{kind} was said by the wrong side")
        elif message.to_server:
            errors.add(f"{kind}: the agent knows no such message")
        else:
            unschemed.add(f"ElevenLabs agent socket: {kind}")
    assert errors == set()


def test_requests_to_the_agents_rest_api(recorded, agent_rest, unschemed):
    exchanges = recorded.agent.exchanges
    assert any("get-signed-url" in exchange.target for exchange in exchanges)
    errors = {error for exchange in exchanges for error in exchange_errors(agent_rest, exchange, unschemed, "ElevenLabs")}
    assert not errors, "\n".join(sorted(errors))


def test_requests_to_the_carriers_rest_api(recorded, carrier_rest, unschemed):
    exchanges = recorded.carrier.exchanges
    assert any(exchange.method == "POST" for exchange in exchanges)
    errors = {error for exchange in exchanges for error in exchange_errors(carrier_rest, exchange, unschemed, "Twilio")}
    assert not errors, "\n".join(sorted(errors))


# Twilio publishes no schema of its media stream: these are the keys that its documentation names.
STREAM_KEYS = {
    (True, "connected"): {"event", "protocol", "version"},
    (True, "start"): {"event", "sequenceNumber", "streamSid", "start"},
    (True, "media"): {"event", "sequenceNumber", "streamSid", "media"},
    (True, "dtmf"): {"event", "sequenceNumber", "streamSid", "dtmf"},
    (True, "mark"): {"event", "sequenceNumber", "streamSid", "mark"},
    (True, "stop"): {"event", "sequenceNumber", "streamSid", "stop"},
    (False, "media"): {"event", "streamSid", "media"},
    (False, "mark"): {"event", "streamSid", "mark"},
    (False, "clear"): {"event", "streamSid"},
}
STREAM_BODY_KEYS = {
    (True, "start"): {"accountSid", "streamSid", "callSid", "tracks", "mediaFormat", "customParameters"},
    (True, "media"): {"track", "chunk", "timestamp", "payload"},
    (True, "dtmf"): {"track", "digit"},
    (True, "mark"): {"name"},
    (True, "stop"): {"accountSid", "callSid"},
    (False, "media"): {"payload"},
    (False, "mark"): {"name"},
}


def test_messages_of_the_media_stream_have_the_documented_keys(recorded, unschemed):
    sequence = 0
    for message in recorded.public.messages:
        value = json.loads(message.text)
        kind = (message.to_server, value["event"])
        unschemed.add(f"Twilio media stream message: {value['event']} ({'from' if message.to_server else 'to'} the carrier)")
        assert set(value) == STREAM_KEYS[kind], kind
        if kind in STREAM_BODY_KEYS:
            assert set(value[value["event"]]) == STREAM_BODY_KEYS[kind], kind
        if "sequenceNumber" in value:
            sequence += 1
            assert value["sequenceNumber"] == str(sequence), "numbers are strings, counted from 1, none left out"
