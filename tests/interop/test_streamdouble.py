"""A simulator of the carrier's media stream, written by others, calls an agent through `serve` and talks over it."""

import asyncio
import json
from pathlib import Path

import pytest
from streamdouble.protocol import MediaStreamEncoder, StreamIdentity
from streamdouble.scenario import Dtmf, Expect, Hangup, Say, Scenario, Wait, WaitFor
from streamdouble.session import Session, SessionConfig, SessionResult
from websockets.exceptions import ConnectionClosed

import speech
from carrier_side import ACCOUNT_SID, PUBLIC_URL, new_sid, open_media, sign, signed_post, voice_form

POLICY_VIOLATION = 1008


def admit(server) -> tuple[str, dict[str, str]]:
    """A signed voice webhook, as at the start of every call: the call, and the parameters that its stream has to bring."""
    call_sid = new_sid("CA")
    document = signed_post("/webhooks/voice", voice_form(call_sid)).send(server.port).twiml()
    parameters = {found.get("name"): found.get("value") for found in document.iter("Parameter")}
    assert parameters.get("token"), "the document brings no token"
    return call_sid, parameters


def say(name: str) -> Say:
    return Say(Path(name), speech.frames(name))


def run(server, call_sid: str, parameters: dict[str, str], *steps, **config) -> SessionResult:
    session = Session(
        f"{server.ws_url}/media",
        scenario=Scenario("call", list(steps)),
        identity=StreamIdentity(new_sid("MZ"), ACCOUNT_SID, call_sid),
        config=SessionConfig(custom_parameters=parameters, max_call_s=60, **config),
    )
    return asyncio.run(session.run())


def test_a_call_with_a_barge_in(server):
    call_sid, parameters = admit(server)
    result = run(
        server,
        call_sid,
        parameters,
        WaitFor("audio", 10),
        Expect("clear", negated=True),
        # Well into the first message, which takes some seconds to say.
        Wait(1),
        say("caller_hours"),
        Expect("clear"),
        Wait(4),
        Expect("no_violations"),
        quiet_period_s=1,
        max_drain_s=15,
    )
    assert result.failed_expectations == []
    assert result.violations == [] and result.unknown_events == []
    assert result.warnings == [] and not result.timed_out
    cleared = result.events_of("clear_received")
    assert len(cleared) == 1, "one clear for one interruption"
    heard = [event.at for event in result.events_of("media_received")]
    before = [at for at in heard if at < cleared[0].at]
    after = [at for at in heard if at >= cleared[0].at]
    assert before, "the first message was heard"
    assert after, "the agent answered after it was interrupted"
    # The caller goes on speaking for more than a second, and an agent does not answer before the caller is done.
    assert min(after) - cleared[0].at > 0.5, "audio of the interrupted turn came after the clear"
    assert result.marks_received, "the playout is followed by marks"
    assert len(set(result.marks_received)) == len(result.marks_received), "every mark has a name of its own"
    assert speech.audio("agent_reception")[:1600] in result.audio_received, "the first message came unchanged"


def test_a_caller_who_only_listens_hears_every_byte_of_the_first_message(server):
    call_sid, parameters = admit(server)
    result = run(server, call_sid, parameters, WaitFor("audio", 10), Wait(1), quiet_period_s=1, max_drain_s=15)
    assert result.violations == [] and result.clears_received == 0
    assert result.marks_echoed, "the end of the first message is marked"
    line = speech.audio("agent_reception")
    assert result.audio_received[: len(line)] == line


def test_key_presses_and_an_abrupt_end_do_no_harm(server):
    call_sid, parameters = admit(server)
    result = run(server, call_sid, parameters, WaitFor("audio", 10), Dtmf("15#"), Wait(0.5), Hangup())
    assert result.violations == [] and result.audio_received
    assert result.closed_by == "caller"


def no_token(server):
    call_sid, parameters = admit(server)
    return call_sid, {name: value for name, value in parameters.items() if name != "token"}


def empty_token(server):
    call_sid, parameters = admit(server)
    return call_sid, parameters | {"token": ""}


def wrong_token(server):
    call_sid, parameters = admit(server)
    token = parameters["token"]
    return call_sid, parameters | {"token": ("A" if token[0] != "A" else "B") + token[1:]}


def token_of_another_call(server):
    call_sid, _ = admit(server)
    _, parameters = admit(server)
    return call_sid, parameters


def token_for_an_unknown_call(server):
    _, parameters = admit(server)
    return new_sid("CA"), parameters


def replayed_token(server):
    call_sid, parameters = admit(server)
    first = run(server, call_sid, parameters, WaitFor("audio", 10), quiet_period_s=0.2, max_drain_s=1)
    assert first.audio_received, "the token was good once"
    return call_sid, parameters


def opening(call_sid: str, parameters: dict[str, str]) -> list[dict]:
    encoder = MediaStreamEncoder(StreamIdentity(new_sid("MZ"), ACCOUNT_SID, call_sid))
    return [encoder.connected(), encoder.start(custom_parameters=parameters)]


INTRUDERS = [
    no_token,
    empty_token,
    wrong_token,
    token_of_another_call,
    token_for_an_unknown_call,
    replayed_token,
]


@pytest.mark.parametrize("intruder", INTRUDERS)
def test_no_agent_speaks_to_an_intruder(server, intruder):
    call_sid, parameters = intruder(server)
    result = run(server, call_sid, parameters, Wait(2), response_timeout_s=3, max_drain_s=1)
    assert result.audio_received == b"" and result.media_frames_received == 0
    assert result.closed_by == "agent" and result.closed_before_audio, "the server closed the socket"


@pytest.mark.parametrize("intruder", INTRUDERS)
def test_an_intruders_socket_is_closed_with_the_code_for_it(server, intruder):
    call_sid, parameters = intruder(server)
    with open_media(server.port, signature=None) as socket:
        for frame in opening(call_sid, parameters):
            socket.send(json.dumps(frame))
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                message = json.loads(socket.recv(timeout=10))
                assert message["event"] != "media", "an intruder heard the agent"
    assert closed.value.rcvd is not None and closed.value.rcvd.code == POLICY_VIOLATION


def test_a_second_stream_of_a_running_call_is_closed_and_the_first_goes_on(server):
    call_sid, parameters = admit(server)
    with open_media(server.port, sign("wss" + PUBLIC_URL.removeprefix("https") + "/media")) as first:
        for frame in opening(call_sid, parameters):
            first.send(json.dumps(frame))
        assert json.loads(first.recv(timeout=10))["event"] == "media"
        result = run(server, call_sid, parameters, Wait(1), response_timeout_s=3, max_drain_s=1)
        assert result.media_frames_received == 0 and result.closed_by == "agent"
        # What is left of the first message; the client takes no pong before it is read.
        with pytest.raises(TimeoutError):
            while True:
                first.recv(timeout=1)
        assert first.ping().wait(10), "the first stream is still served"


def test_a_stream_that_never_starts_is_closed(server):
    with open_media(server.port, signature=None) as socket:
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=15)
    assert closed.value.rcvd is not None
