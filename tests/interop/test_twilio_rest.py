"""The official REST client drives the emulated carrier, and the official validator checks what that sends."""

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client
from twilio.twiml.voice_response import VoiceResponse

from carrier_side import ACCOUNT_SID, AUTH_TOKEN, CALLER, OUR_NUMBER, Loopback, until
from listener import Listener

# A call that nobody ever placed.
NOBODY = "CA" + 32 * "f"


@pytest.fixture(scope="module")
def client(twilio_emulator):
    return Client(ACCOUNT_SID, AUTH_TOKEN, http_client=Loopback(twilio_emulator.url))


@pytest.fixture
def customer():
    talk = VoiceResponse()
    talk.pause(length=60)
    talk.hangup()
    short = VoiceResponse()
    short.pause(length=1)
    short.hangup()
    with Listener({"/voice": str(talk), "/short": str(short)}) as listener:
        yield listener


def place(client: Client, customer: Listener, path: str = "/voice", **more):
    return client.calls.create(
        to=CALLER,
        from_=OUR_NUMBER,
        url=f"{customer.url}{path}",
        status_callback=f"{customer.url}/status",
        status_callback_event=["initiated", "ringing", "answered", "completed"],
        **more,
    )


def test_a_call_is_placed_and_ended(client, customer):
    call = place(client, customer)
    assert call.sid.startswith("CA") and len(call.sid) == 34
    assert (call.account_sid, call.to, call._from, call.direction) == (ACCOUNT_SID, CALLER, OUR_NUMBER, "outbound-api")
    assert call.status == "queued"
    assert call.date_created is not None
    voice = customer.wait_for(lambda told: told.path == "/voice")
    assert voice.is_genuine
    assert voice.get("CallSid") == call.sid
    assert (voice.get("CallStatus"), voice.get("Direction")) == ("in-progress", "outbound-api")
    assert (voice.get("To"), voice.get("From"), voice.get("ApiVersion")) == (CALLER, OUR_NUMBER, "2010-04-01")
    assert client.calls(call.sid).fetch().status == "in-progress"
    assert client.calls(call.sid).update(status="completed").sid == call.sid
    over = until(lambda: next((c for c in [client.calls(call.sid).fetch()] if c.status == "completed"), None))
    assert over and over.start_time and over.end_time and int(over.duration) >= 0
    customer.wait_for(lambda told: told.get("CallStatus") == "completed")


def test_every_step_is_told_in_order_and_signed(client, customer):
    call = place(client, customer, "/short")
    customer.wait_for(lambda told: told.path == "/status" and told.get("CallStatus") == "completed")
    steps = [told for told in customer.told if told.path == "/status"]
    assert all(told.is_genuine for told in customer.told)
    assert all(told.get("CallSid") == call.sid and told.get("AccountSid") == ACCOUNT_SID for told in steps)
    assert [told.get("CallStatus") for told in steps] == ["initiated", "ringing", "in-progress", "completed"]
    assert [told.get("SequenceNumber") for told in steps] == ["0", "1", "2", "3"]
    assert {told.get("CallbackSource") for told in steps} == {"call-progress-events"}
    assert int(steps[-1].get("CallDuration")) >= 1
    tokens = {{name.lower(): value for name, value in told.headers.items()}["i-twilio-idempotency-token"] for told in steps}
    assert len(tokens) == len(steps)


def test_calls_are_listed_newest_first_and_by_filter(client, customer):
    first, second = (place(client, customer) for _ in range(2))
    for call in (first, second):
        customer.wait_for(lambda told, sid=call.sid: told.path == "/voice" and told.get("CallSid") == sid)
    listed = [call.sid for call in client.calls.list(to=CALLER, from_=OUR_NUMBER, limit=1000)]
    assert listed.index(second.sid) < listed.index(first.sid)
    running = [call.sid for call in client.calls.list(status="in-progress", limit=1000)]
    assert {first.sid, second.sid} <= set(running)
    assert client.calls.list(to="+12125550199", limit=10) == []
    page = client.calls.page(page_size=1)
    assert len(list(page)) == 1 and page.next_page_url
    # The official client follows the pages by itself, one call a page.
    assert [call.sid for call in client.calls.list(page_size=1, limit=2)] == [second.sid, first.sid]
    for call in (first, second):
        client.calls(call.sid).update(status="completed")
    done = lambda: {first.sid, second.sid} <= {call.sid for call in client.calls.list(status="completed", limit=1000)}
    assert until(done)


def test_a_call_is_redirected_to_another_document(client, customer):
    call = place(client, customer)
    customer.wait_for(lambda told: told.path == "/voice")
    client.calls(call.sid).update(url=f"{customer.url}/short", method="POST")
    redirected = customer.wait_for(lambda told: told.path == "/short")
    assert redirected.is_genuine and redirected.get("CallSid") == call.sid
    customer.wait_for(lambda told: told.get("CallStatus") == "completed")


def test_a_document_may_come_with_the_request(client):
    response = VoiceResponse()
    response.pause(length=60)
    call = client.calls.create(to=CALLER, from_=OUR_NUMBER, twiml=str(response))
    assert until(lambda: client.calls(call.sid).fetch().status == "in-progress")
    client.calls(call.sid).update(twiml="<Response><Hangup/></Response>")
    assert until(lambda: client.calls(call.sid).fetch().status == "completed")


def test_a_running_call_is_recorded(client, customer):
    call = place(client, customer)
    customer.wait_for(lambda told: told.path == "/voice")
    recording = client.calls(call.sid).recordings.create(
        recording_channels="dual",
        recording_track="both",
        recording_status_callback=f"{customer.url}/recording",
        recording_status_callback_event=["in-progress", "completed"],
    )
    assert recording.sid.startswith("RE") and recording.call_sid == call.sid
    assert (recording.status, recording.channels) == ("in-progress", 2)
    assert [found.sid for found in client.calls(call.sid).recordings.list()] == [recording.sid]
    assert client.calls(call.sid).recordings(recording.sid).update(status="paused").status == "paused"
    assert client.calls(call.sid).recordings("Twilio.CURRENT").update(status="in-progress").status == "in-progress"
    client.calls(call.sid).update(status="completed")
    told = customer.wait_for(lambda told: told.path == "/recording" and told.get("RecordingStatus") == "completed")
    assert told.is_genuine
    assert (told.get("RecordingSid"), told.get("CallSid"), told.get("RecordingChannels")) == (recording.sid, call.sid, "2")
    assert told.get("RecordingUrl") and int(told.get("RecordingDuration")) >= 0
    assert client.recordings(recording.sid).fetch().status == "completed"


def refusal(request) -> TwilioRestException:
    with pytest.raises(TwilioRestException) as refused:
        request()
    return refused.value


def test_a_bad_number_is_refused(client):
    refused = refusal(lambda: client.calls.create(to="12", from_=OUR_NUMBER, twiml="<Response/>"))
    assert (refused.status, refused.code) == (400, 21211)


def test_an_unknown_call_is_not_found(client):
    for request in (client.calls(NOBODY).fetch, lambda: client.calls(NOBODY).update(status="completed")):
        refused = refusal(request)
        assert (refused.status, refused.code) == (404, 20404)


def test_bad_credentials_are_refused(twilio_emulator):
    stranger = Client(ACCOUNT_SID, "another token", http_client=Loopback(twilio_emulator.url))
    for request in (stranger.calls(NOBODY).fetch, lambda: stranger.calls.create(to=CALLER, from_=OUR_NUMBER, twiml="")):
        refused = refusal(request)
        assert (refused.status, refused.code) == (401, 20003)


def test_a_call_that_is_over_cannot_be_redirected(client, customer):
    call = place(client, customer, "/short")
    customer.wait_for(lambda told: told.get("CallStatus") == "completed")
    refused = refusal(lambda: client.calls(call.sid).update(twiml="<Response/>"))
    assert (refused.status, refused.code) == (400, 21220)


def test_a_queued_or_ringing_call_is_canceled_and_a_running_one_is_not(client, customer):
    call = place(client, customer)
    customer.wait_for(lambda told: told.path == "/voice")
    client.calls(call.sid).update(status="canceled")
    assert client.calls(call.sid).fetch().status == "in-progress"
    client.calls(call.sid).update(status="completed")
    customer.wait_for(lambda told: told.get("CallStatus") == "completed")
