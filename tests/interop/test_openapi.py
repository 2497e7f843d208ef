"""What the server says of its REST API is valid OpenAPI, and its answers are as it says: each is checked against its schema."""

import json
import urllib.error
import urllib.parse
import urllib.request

import pytest
from openapi_spec_validator import validate

import programs
from agents import RECEPTION, XI_API_KEY
from carrier_side import CALLER, until
from conftest import running, serve_settings
from schemas import Rest, broken, lookup

LEAD = {"number": CALLER, "first_name": "Ada", "state": "NY", "tags": ["hot"], "custom": {"plan": "gold", "none": None}}
CONSENT = {
    "number": CALLER,
    "kind": "written",
    "scope": ["telemarketing"],
    "given_at": "2026-09-21T18:30:00Z",
    "evidence": {"method": "web_form", "text": "Call me at 212 555 0113.", "ip": "192.0.2.7"},
}
# Somebody who picks up and listens.
QUIET = "+12125550115"

NOBODY = "call_00000000000000000000000000000007"


class Own(Rest):
    """Our own document. Answers that list their members are closed: one that is not told of is an error."""

    def __init__(self, document: dict):
        self.name = "openapi.json"
        self.document = document

    def answer_at(self, method: str, path: str, status: int, media_type: str) -> str:
        """Where the schema of an answer is. That the answer is not told of at all fails the check."""
        found = self.operation(method, path)
        assert found, f"{method} {path} is not told of"
        pointer, operation, _ = found
        code = str(status) if str(status) in operation["responses"] else "default"
        assert code != "default" or status >= 500, f"{method} {path}: {status} is not told of"
        pointer, answer = f"{pointer}/responses/{code}", operation["responses"][code]
        if "$ref" in answer:
            pointer, answer = answer["$ref"].removeprefix("#"), lookup(self.document, answer["$ref"])
        assert media_type in answer["content"], f"{method} {path}: {status} comes as {media_type}"
        return urllib.parse.quote(f"{pointer}/content/{media_type.replace('/', '~1')}/schema", safe="/~")


class Program:
    """Somebody's program: asks the server, and holds what it gets to the document."""

    def __init__(self, url: str, key: str, own: Own):
        self.url, self.key, self.own = url, key, own

    def ask(self, method: str, path: str, status: int, body: dict | None = None, **headers: str):
        """The answer, valid by its schema. A body that the server understands must be valid too, and the other way round."""
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        if body is not None:
            headers["Content-Type"] = "application/json"
            at = self.own.request_pointer(method, path, "application/json")
            assert at, f"{method} {path}: its body is not told of"
            wrong = self.own.errors(at, body)
            assert not wrong if status < 400 else True, f"{method} {path}: {wrong}"
            assert wrong if status == 400 else True, f"{method} {path}: the schema lets {body} pass"
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.url}{path}", data, headers, method=method)
        try:
            answer = urllib.request.urlopen(request, timeout=20)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            text = answer.read().decode()
        assert answer.status == status, f"{method} {path}: {answer.status} {text}"
        media_type = answer.headers.get_content_type()
        at = self.own.answer_at(method, path, status, media_type)
        value = text if media_type == "text/plain" else json.loads(text)
        assert self.own.errors(at, value) == [], f"{method} {path}: {text}"
        return value


def document_of(server) -> dict:
    with urllib.request.urlopen(f"{server.url}/api/openapi.json", timeout=20) as answer:
        assert answer.headers.get_content_type() == "application/json"
        return json.loads(answer.read())


@pytest.fixture(scope="module")
def api_server(home, twilio_emulator, elevenlabs_emulator):
    """`serve` whose gate lets emergencies through at any hour, and keys: one that may do everything, one that may look."""
    settings = serve_settings(
        home,
        "api",
        CLEARLINE__CARRIER__TWILIO__API_URL=twilio_emulator.url,
        CLEARLINE__AGENTS__ELEVENLABS__API_URL=elevenlabs_emulator.url,
        ELEVENLABS_API_KEY=XI_API_KEY,
        CLEARLINE__AGENTS__DEFAULT=f"elevenlabs:{RECEPTION}",
        CLEARLINE__COMPLIANCE__PURPOSES="telemarketing,emergency",
    )
    every = programs.run(["keys", "create", "all", "--role", "admin", "--grant", "calls:emergency"], home, settings)
    look = programs.run(["keys", "create", "look", "--role", "viewer"], home, settings)
    seat = json.dumps({"number": QUIET, "script": "silent"}).encode()
    request = urllib.request.Request(
        f"{twilio_emulator.url}/_emulator/phones", seat, {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=10).close()
    for program in running("api", ["serve"], home, settings):
        program.keys = {"all": every.splitlines()[0], "look": look.splitlines()[0], "none": ""}
        yield program


@pytest.fixture(scope="module")
def program(api_server):
    own = Own(document_of(api_server))
    return lambda key="all": Program(api_server.url, api_server.keys[key], own)


def test_the_document_is_valid(api_server):
    validate(document_of(api_server))


def test_the_check_can_fail(program):
    good = program().ask("GET", "/api/v1/outbound", 200)
    own = program().own
    at = own.answer_at("GET", "/api/v1/outbound", 200, "application/json")
    damages = [
        lambda answer: answer.update(stopped="no"),
        lambda answer: answer.pop("since"),
        lambda answer: answer.update(sins=1),
    ]
    for damage in damages:
        assert own.errors(at, broken(good, [], damage))


def test_records(program):
    ask = program().ask
    lead = ask("POST", "/api/v1/leads", 201, LEAD)
    ask("POST", "/api/v1/leads", 200, {"id": lead["id"], "protected_line": "none", "last_purchase_on": "2026-01-05"})
    ask("GET", f"/api/v1/leads/{lead['id']}", 200)
    ask("POST", "/api/v1/leads", 201, {"number": "+12125550119", "protected_line": "patient_room"})
    first = ask("GET", "/api/v1/leads?limit=1", 200)
    assert len(first["leads"]) == 1
    ask("GET", f"/api/v1/leads?limit=1&status=new&cursor={first['next_cursor']}", 200)
    ask("POST", "/api/v1/consents", 201, CONSENT)
    ask("POST", "/api/v1/consents", 201, {**CONSENT, "number": "(212) 555-0118", "expires_at": "2026-09-22T00:00:00Z"})
    ask("POST", "/api/v1/consents/revoke", 201, {"number": CALLER, "words": "no"})
    assert "revocations" not in ask("GET", "/api/v1/consents?limit=1", 200)
    assert ask("GET", "/api/v1/consents?number=2125550113", 200)["revocations"]
    ask("POST", "/api/v1/dnc", 201, {"number": "+12125550117", "note": "asked"})
    assert ask("GET", "/api/v1/dnc", 200)["entries"]
    ask("POST", "/api/v1/dnc/remove", 200, {"number": "+12125550117", "reason": "listed by mistake"})
    assert ask("GET", "/api/v1/dnc?number=2125550117", 200)["entries"][0]["removed_because"]
    ask("POST", "/api/v1/privacy/erase", 200, {"number": "+12125550118"})


def test_what_is_refused(program):
    ask = program().ask
    for body in [{"number": "212"}, {"number": CALLER, "fist_name": "Ada"}, {"number": CALLER, "status": "old"}]:
        ask("POST", "/api/v1/leads", 400, body)
    ask("POST", "/api/v1/leads", 422, {"number": CALLER, "state": "ZZ", "email": "y"})
    ask("POST", "/api/v1/leads", 404, {"id": "lead_00000000000000000000000000000007", "first_name": "x"})
    wrong = {"method": "web_form", "text": "x", "text_sha256": "00"}
    ask("POST", "/api/v1/consents", 422, {**CONSENT, "evidence": wrong})
    ask("POST", "/api/v1/consents", 400, {**CONSENT, "evidence": {"method": "web_form", "txt": "x"}})
    ask("POST", "/api/v1/calls", 422, {"to": "212", "agent": "x:y:z", "purpose": "fun"})
    ask("POST", "/api/v1/calls", 400, {"to": CALLER, "on_machine": {"do": "shout"}})
    ask("POST", "/api/v1/calls", 400, {"to": CALLER, "on_machine": {"do": "message"}})
    ask("POST", "/api/v1/outbound/stop", 422, {"reason": " "})
    ask("GET", f"/api/v1/calls/{NOBODY}", 404)
    ask("POST", f"/api/v1/calls/{NOBODY}/mute", 404)
    ask("GET", "/api/v1/calls?cursor=nonsense", 400)
    ask("GET", "/api/v1/calls?limit=many", 400)
    ask("GET", "/api/v1/decisions/dec_1", 404)
    program("look").ask("POST", "/api/v1/dnc", 403, {"number": CALLER})
    program("none").ask("GET", "/api/v1/calls", 401)
    ask("POST", "/api/v1/dnc", 413, {"number": CALLER, "note": "x" * 70_000})


def test_the_gate_and_the_stop(program):
    ask = program().ask
    blocked = ask("POST", "/api/v1/calls", 403, {"to": "+12125550116"})
    assert blocked["error"]["details"]["reasons"]
    ask("GET", f"/api/v1/calls/{blocked['call_id']}", 200)
    for purpose in ["telemarketing", "emergency"]:
        dry = ask("POST", "/api/v1/calls", 200, {"to": "+12125550116", "purpose": purpose, "dry_run": True})
        assert dry["decision"] == ("allow" if purpose == "emergency" else "deny"), dry
    checked = ask("POST", "/api/v1/check", 200, {"number": "12"})
    for key in ["all", "look"]:
        program(key).ask("GET", f"/api/v1/decisions/{checked['decision_id']}", 200)
        program(key).ask("GET", f"/api/v1/decisions/{blocked['error']['details']['decision_id']}", 200)
    ask("POST", "/api/v1/outbound/stop", 200, {"reason": "a check"})
    ask("POST", "/api/v1/outbound/release", 200, {"reason": "it is over"})
    assert len(ask("GET", "/api/v1/outbound", 200)["history"]) == 2


def test_a_call(program):
    ask = program().ask
    wanted = {"to": QUIET, "purpose": "emergency", "on_machine": {"do": "hang_up"}}
    wanted["dynamic_variables"] = {"topic": "a leak", "turn": 3}
    placed = ask("POST", "/api/v1/calls", 202, wanted, **{"Idempotency-Key": "once"})
    assert ask("POST", "/api/v1/calls", 202, wanted, **{"Idempotency-Key": "once"}) == placed
    ask("POST", "/api/v1/calls", 409, {**wanted, "to": "+12125550116"}, **{"Idempotency-Key": "once"})
    path = placed["self"]
    lines = until(lambda: ask("GET", f"{path}/transcript", 200)["lines"])
    assert lines, ask("GET", path, 200)
    for key in ["all", "look"]:
        program(key).ask("GET", "/api/v1/calls?state=live&direction=outbound", 200)
    ask("POST", f"{path}/message", 202, {"text": "The caller is a returning customer."})
    ask("POST", f"{path}/message", 400, {"text": "x", "kind": "shout"})
    ask("POST", f"{path}/dtmf", 202, {"keys": "1w2"})
    ask("POST", f"{path}/dtmf", 422, {"keys": "x"})
    for step in ["mute", "unmute", "hold", "resume"]:
        ask("POST", f"{path}/{step}", 202)
    ask("POST", f"{path}/recording", 400, {"step": "rewind"})
    ask("POST", f"{path}/transfer", 400, {"to": "nobody", "by": "me"})
    ask("GET", f"{path}/listen", 426)
    ask("POST", f"{path}/end", 202)
    assert until(lambda: ask("GET", path, 200)["state"] == "ended")
    ask("POST", f"{path}/end", 200)
    ask("POST", f"{path}/hold", 404)
    ask("GET", "/api/v1/calls?limit=200", 200)
