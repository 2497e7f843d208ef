"""The official Retell client against the emulated Retell and our webhook; the OpenAI client against the emulated chat endpoint; and a
chat server made of that client's own types, which answers on Retell's custom-LLM socket through the real server."""

import json
import queue
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import openai
import pytest
import retell
from openai.types.chat import ChatCompletionChunk
from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming
from pydantic import TypeAdapter
from retell.lib.webhook_auth import symmetric, verify

import programs
from carrier_side import ACCOUNT_SID, AUTH_TOKEN, CALLER, OUR_NUMBER
from conftest import serve_settings, twilio_arguments

KEY = "retell-key-of-the-interop-checks"
CHAT_KEY = "chat-key-of-the-interop-checks"
SECRET = "secret-of-the-interop-checks-0123456789"
LIMIT_S = 30

sign = symmetric["sign"]


@contextmanager
def started(name, arguments, home, settings=None):
    program = programs.start(name, arguments, home, settings)
    try:
        yield program
    finally:
        program.stop()


@contextmanager
def listening(handler):
    """An HTTP server of our own on a free port. What the handler puts into `server.got` is kept."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.got = queue.Queue()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def post(url, body, headers=None):
    """The status of the answer, and the answer."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **(headers or {})})
    try:
        with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def log_of(program):
    with urllib.request.urlopen(f"{program.url}/_emulator/log", timeout=LIMIT_S) as answer:
        return json.load(answer)


def wait_for(program, fits):
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        found = [entry for entry in log_of(program) if fits(entry)]
        if found:
            return found[0]
        time.sleep(0.05)
    raise AssertionError(f"waited in vain\n{program.said()}\n{log_of(program)}")


class Webhook(BaseHTTPRequestHandler):
    """Where the emulated Retell sends its webhooks."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.put((body.decode(), self.headers["X-Retell-Signature"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def retell_emulator(home):
    arguments = ["emulate", "retell", "--listen", "127.0.0.1:0", "--auth-token", KEY]
    with started("retell", arguments, home) as program:
        yield program


def test_the_official_client_registers_reads_and_stops_calls(retell_emulator):
    client = retell.Retell(api_key=KEY, base_url=retell_emulator.url)
    call = client.call.register_phone_call(
        agent_id="agent_1", direction="inbound", from_number=CALLER, to_number=OUR_NUMBER, metadata={"a": 1}
    )
    assert (call.call_status, call.agent_id, call.metadata) == ("registered", "agent_1", {"a": 1})
    told = {"events": ["call_ended"], "transcript": [["agent", "Hello"], ["user", "Hi"]], "silently": True}
    assert post(f"{retell_emulator.url}/_emulator/calls/{call.call_id}/tell", told)[0] == 204
    read = client.call.retrieve(call.call_id)
    assert (read.call_status, read.disconnection_reason) == ("ended", "user_hangup")
    assert [(line.role, line.content) for line in read.transcript_object] == [("agent", "Hello"), ("user", "Hi")]
    client.call.stop(call.call_id)
    assert client.call.retrieve(call.call_id).disconnection_reason == "manual_stopped"
    assert client.agent.retrieve("agent_1").response_engine.type == "retell-llm"
    with pytest.raises(retell.NotFoundError):
        client.call.retrieve("call_of_nobody")
    with pytest.raises(retell.AuthenticationError):
        retell.Retell(api_key="another", base_url=retell_emulator.url).call.retrieve(call.call_id)


def test_the_official_check_believes_the_emulators_webhooks(retell_emulator):
    client = retell.Retell(api_key=KEY, base_url=retell_emulator.url)
    call = client.call.register_phone_call(agent_id="agent_1")
    with listening(Webhook) as (receiver, url):
        assert post(f"{retell_emulator.url}/_emulator/webhook", {"url": url})[0] == 204
        tell = {"events": ["call_started", "call_ended"], "transcript": [["user", "Grüß Gott"]]}
        assert post(f"{retell_emulator.url}/_emulator/calls/{call.call_id}/tell", tell)[0] == 204
        for event in ["call_started", "call_ended"]:
            body, signature = receiver.got.get(timeout=LIMIT_S)
            assert json.loads(body)["event"] == event
            assert verify(body, KEY, signature) and not verify(body + " ", KEY, signature)
            assert not verify(body, "another", signature)


def test_our_webhook_believes_what_the_official_library_signs_and_nothing_else(home):
    settings = serve_settings(home, "retell-webhook", RETELL_API_KEY=KEY, CLEARLINE__CARRIER__TWILIO__API_URL="http://127.0.0.1:9")
    body = json.dumps({"event": "call_ended", "call": {"call_id": "c1", "transcript": "Grüß Gott"}}, ensure_ascii=False)
    with started("retell-webhook", ["serve"], home, settings) as server:
        url = f"{server.url}/webhooks/retell"

        def status(signature):
            return post(url, body.encode(), {"X-Retell-Signature": signature})[0]

        now = int(time.time() * 1000)
        assert status(sign(body, KEY)) == 204
        assert status(sign(body, KEY, now - 4 * 60_000)) == 204
        assert status(sign(body, KEY, now - 6 * 60_000)) == 401
        assert status(sign(body, "another")) == 401
        assert status(sign(body + " ", KEY)) == 401


@pytest.fixture
def chat_emulator(home):
    arguments = ["emulate", "chat", "--listen", "127.0.0.1:0", "--auth-token", CHAT_KEY]
    with started("chat", arguments, home) as program:
        yield program


def test_the_openai_client_talks_with_the_emulated_chat(chat_emulator):
    client = openai.OpenAI(api_key=CHAT_KEY, base_url=f"{chat_emulator.url}/v1", max_retries=0)

    def ask(text, **more):
        return client.chat.completions.create(model="m", messages=[{"role": "user", "content": text}], **more)

    assert ask("Hello").choices[0].message.content == "You said: Hello"
    words = [chunk.choices[0].delta.content for chunk in ask("Hello", stream=True)]
    assert "".join(word or "" for word in words) == "You said: Hello" and len(words) > 3
    with client.chat.completions.stream(
        model="m", messages=[{"role": "user", "content": 'use take_note {"text":"a:b"}'}]
    ) as stream:
        call = stream.get_final_completion().choices[0].message.tool_calls[0]
    assert (call.function.name, json.loads(call.function.arguments)) == ("take_note", {"text": "a:b"})
    post(f"{chat_emulator.url}/_emulator/faults", {"mode": "status", "count": 1})
    with pytest.raises(openai.InternalServerError):
        ask("Hello")
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="another").chat.completions.create(model="m", messages=[])


class Chat(BaseHTTPRequestHandler):
    """A chat endpoint that takes what the OpenAI client's types allow and answers with its chunks."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        problem = None
        try:
            TypeAdapter(CompletionCreateParamsStreaming).validate_python(body)
        except ValueError as error:
            problem = str(error)
        self.server.got.put((self.path, self.headers["Authorization"], body, problem))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        last = body["messages"][-1]
        if last["role"] == "user":
            function = {"name": "take_note", "arguments": '{"text": "asked for the hours"}'}
            call = {"index": 0, "id": "call_abc", "type": "function", "function": function}
            deltas = [({"role": "assistant", "tool_calls": [call]}, None), ({}, "tool_calls")]
        else:
            deltas = [({"role": "assistant", "content": "At "}, None), ({"content": "nine."}, None), ({}, "stop")]
        for delta, reason in deltas:
            choice = {"index": 0, "delta": delta, "finish_reason": reason}
            chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": body["model"], "choices": [choice]}
            self.wfile.write(f"data: {ChatCompletionChunk.model_validate(chunk).model_dump_json()}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *_):
        pass


def test_a_chat_server_of_the_openai_types_answers_on_retells_socket(home, retell_emulator):
    with listening(Chat) as (chat, chat_url), started("twilio-retell", twilio_arguments(), home) as twilio:
        settings = serve_settings(
            home,
            "retell-llm",
            RETELL_API_KEY=KEY,
            CLEARLINE__CARRIER__TWILIO__API_URL=twilio.url,
            CLEARLINE__AGENTS__DEFAULT="retell:agent_1",
            CLEARLINE__AGENTS__RETELL__API_URL=retell_emulator.url,
            CLEARLINE__AGENTS__RETELL__LLM__SECRET=SECRET,
            CLEARLINE__AGENTS__RETELL__LLM__BASE_URL=f"{chat_url}/v1",
            CLEARLINE__AGENTS__RETELL__LLM__API_KEY=CHAT_KEY,
            CLEARLINE__AGENTS__RETELL__LLM__MODEL="m",
            CLEARLINE__AGENTS__RETELL__LLM__GREETING="Hello.",
        )
        with started("retell-llm", ["serve"], home, settings) as server:
            seat = {"number": "sip:sip.retellai.com", "script": "silent"}
            assert post(f"{twilio.url}/_emulator/phones", seat)[0] < 300
            number = {"number": OUR_NUMBER, "voice_url": f"{server.url}/webhooks/voice"}
            assert post(f"{twilio.url}/_emulator/numbers", number)[0] < 300
            call = {"from": CALLER, "to": OUR_NUMBER, "script": "silent"}
            status, rung = post(f"{twilio.url}/_emulator/inbound", call)
            assert status < 300, rung
            registered = wait_for(retell_emulator, lambda entry: entry["event"] == "registered")["about"]
            path = f"{retell_emulator.url}/_emulator/calls/{registered}/llm"
            assert post(path, {"url": f"{server.ws_url}/agents/retell/llm/{SECRET}"}) == (204, b"")

            def said(number):
                return wait_for(retell_emulator, lambda e: e["event"] == "llm_said" and e["response_id"] == number)["text"]

            assert said(0) == "Hello."
            assert post(f"{path}/act", {"say": "When do you open?"})[0] == 204
            assert said(1) == "At nine."
            for roles in [["system", "assistant", "user"], ["system", "assistant", "user", "assistant", "tool"]]:
                target, authorization, body, problem = chat.got.get(timeout=LIMIT_S)
                assert problem is None, problem
                assert (target, authorization) == ("/v1/chat/completions", f"Bearer {CHAT_KEY}")
                assert [message["role"] for message in body["messages"]] == roles
            sid = json.loads(rung)["call_sid"]
            url = f"{twilio.url}/2010-04-01/Accounts/{ACCOUNT_SID}/Calls/{sid}.json"
            password = urllib.request.HTTPPasswordMgrWithDefaultRealm()
            password.add_password(None, twilio.url, ACCOUNT_SID, AUTH_TOKEN)
            opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(password))
            assert opener.open(url, b"Status=completed", timeout=LIMIT_S).status == 200
