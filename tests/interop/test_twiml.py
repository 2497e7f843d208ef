"""Every document that the carrier is ever sent equals one built with the official builder, whether rendered or fetched."""

import inspect
import json
import re
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest
from twilio.twiml.voice_response import VoiceResponse

from carrier_side import PUBLIC_URL, Form, new_sid, signed_post, voice_form
from programs import ROOT

TEMPLATES = ROOT / "twiml"
RENDERER = ROOT / "target" / "debug" / "examples" / "render_twiml"

APOLOGY = "We are sorry. We cannot take your call right now. Please try again later. Goodbye."


def canonical(element: ElementTree.Element):
    """Tag, attributes in order, text, children. White space counts within a text; where there is nothing else it is layout."""
    children = [canonical(child) for child in element]
    text = "".join([element.text or "", *(child.tail or "" for child in element)])
    assert not (children and text.strip()), f"a text beside elements: {text!r}"
    return (element.tag, sorted(element.attrib.items()), text if text.strip() else "", children)


def same(ours: str, theirs: VoiceResponse) -> None:
    assert canonical(ElementTree.fromstring(ours)) == canonical(ElementTree.fromstring(str(theirs))), (
        f"ours:\n{ours}\nthe official builder's:\n{theirs}"
    )


def built(builder, /, *arguments, **attributes):
    """Calls the builder with attributes that it knows by name: what it does not know it would pass through unseen."""
    known = inspect.signature(builder).parameters
    assert set(attributes) <= set(known), f"the official builder does not know {set(attributes) - set(known)}"
    return builder(*arguments, **attributes)


def say(values) -> dict[str, str]:
    return {"message": values["text"], "voice": values["voice"], "language": values["language"]}


def opening(values, *, disclosed: bool, recorded: bool, told_again: bool) -> VoiceResponse:
    """What is said and recorded before the call goes on."""
    response = VoiceResponse()
    if disclosed:
        built(response.say, **say(values))
    if recorded:
        built(
            response.start().recording,
            channels="dual",
            track="both",
            trim="do-not-trim",
            recording_status_callback=values["recording_status_callback"],
            recording_status_callback_method="POST",
            recording_status_callback_event="in-progress completed absent",
        )
    if told_again:
        built(response.say, **say(values))
    return response


def connect_stream(values, *, disclosed=True, recorded=True, told_again=False, parameters=None) -> VoiceResponse:
    response = opening(values, disclosed=disclosed, recorded=recorded, told_again=told_again)
    stream = built(
        response.connect().stream,
        url=values["stream_url"],
        status_callback=values["stream_status_callback"],
        status_callback_method="POST",
    )
    for name, value in values["parameters"] if parameters is None else parameters:
        built(stream.parameter, name=name, value=value)
    built(response.redirect, values["resume_url"], method="POST")
    response.hangup()
    return response


def hand_over(values, *, bare: bool) -> VoiceResponse:
    response = opening(values, disclosed=not bare, recorded=not bare, told_again=not bare)
    limit = values["time_limit"]
    dialled = built(response.dial, action=values["hand_over_url"], method="POST", timeout=10, time_limit=limit)
    built(dialled.sip, values["sip_uri"])
    response.hangup()
    return response


def briefing(values, voice) -> VoiceResponse:
    response = VoiceResponse()
    keys = {"input": "dtmf", "num_digits": 1, "timeout": 10}
    gather = built(response.gather, **keys, action=values["answer_url"], method="POST")
    built(gather.say, values["text"], **voice)
    response.hangup()
    return response


def reject(reason: str) -> VoiceResponse:
    response = VoiceResponse()
    built(response.reject, reason=reason)
    return response


def hang_up() -> VoiceResponse:
    response = VoiceResponse()
    response.hangup()
    return response


def last_words(text: str, pause: bool = False, **voice) -> VoiceResponse:
    response = VoiceResponse()
    if pause:
        built(response.pause, length=1)
    built(response.say, text, **voice)
    response.hangup()
    return response


def dial(values) -> VoiceResponse:
    response = VoiceResponse()
    built(response.say, values["text"], voice=values["voice"], language=values["language"])
    dialled = built(
        response.dial,
        action=values["action_url"],
        method="POST",
        caller_id=values["caller_id"],
        timeout=values["ring_timeout"],
        time_limit=values["time_limit"],
        answer_on_bridge=True,
    )
    built(
        dialled.number,
        values["number"],
        url=values["briefing_url"],
        method="POST",
        status_callback=values["answered_url"],
        status_callback_method="POST",
        status_callback_event="answered",
    )
    response.hangup()
    return response


def expected(file: str, case: str, values) -> VoiceResponse:
    voice = {"voice": values["voice"], "language": values["language"]} if case == "voice" else {}
    match file, case:
        case "connect_stream.xml", "full":
            return connect_stream(values)
        case "connect_stream.xml", "bare":
            return connect_stream(values, disclosed=False, recorded=False, parameters=[])
        case "connect_stream.xml", "told again":
            return connect_stream(values, told_again=True)
        case "hand_over.xml", _:
            return hand_over(values, bare=case == "bare")
        case "briefing.xml", _:
            return briefing(values, voice)
        case "take_call.xml", _:
            return VoiceResponse()
        case "reject.xml", reason:
            return reject(reason)
        case "hang_up.xml", _:
            return hang_up()
        case "apology.xml" | "goodbye.xml", _:
            return last_words(values["text"], **voice)
        case "voicemail.xml", _:
            return last_words(values["text"], pause=True, **voice)
        case _:
            raise AssertionError(f"{file} ({case}) is not built with the official builder here")


# This one rings a phone: nothing outside the crate may render it, so that its template is filled in here.
UNRENDERED = "dial.xml"


@pytest.fixture(scope="module")
def rendered():
    done = subprocess.run([RENDERER], capture_output=True, text=True, timeout=30, check=True)
    return json.loads(done.stdout)


def test_every_template_is_compared(rendered):
    files = {document["file"] for document in rendered["documents"]} | {UNRENDERED}
    assert files == {path.name for path in TEMPLATES.iterdir()}


def test_rendered_documents_equal_the_official_builders(rendered):
    assert rendered["documents"]
    for document in rendered["documents"]:
        same(document["xml"], expected(document["file"], document["case"], rendered["values"]))


def test_the_template_that_dials_equals_the_official_builders():
    values = {
        "text": "Please hold.",
        "voice": "Polly.Joanna-Neural",
        "language": "en-US",
        "action_url": f"{PUBLIC_URL}/webhooks/resume",
        "caller_id": "+12125550100",
        "ring_timeout": 25,
        "time_limit": 1800,
        "answered_url": f"{PUBLIC_URL}/webhooks/transfer-answered/1",
        "briefing_url": f"{PUBLIC_URL}/webhooks/briefing/1",
        "number": "+12125550113",
    }
    template = re.sub(r"\{%.*?%\}", "", (TEMPLATES / UNRENDERED).read_text(encoding="utf-8"))
    names = {"say.text": "text", "say.voice": "voice", "say.language": "language"}
    names |= {"voice": "voice", "language": "language", "url": "briefing_url"}
    names |= {"ring_timeout.as_secs()": "ring_timeout", "time_limit.as_secs()": "time_limit"}
    fill = lambda match: str(values[names.get(match[1], match[1])])
    same(re.sub(r"\{\{ (.*?) \}\}", fill, template), dial(values))


def fetch(program, path: str, form: Form) -> str:
    answer = signed_post(path, form).send(program.port)
    answer.twiml()
    return answer.body


def connected(ours: str) -> dict[str, str]:
    """That a document connects the call with an agent and equals the official builder's. Gives the stream's parameters."""
    document = ElementTree.fromstring(ours)
    stream = document.find("Connect/Stream")
    values = {
        "stream_url": stream.get("url"),
        "stream_status_callback": stream.get("statusCallback"),
        "resume_url": document.find("Redirect").text,
    }
    assert values["stream_url"] == "wss" + PUBLIC_URL.removeprefix("https") + "/media"
    assert values["stream_status_callback"].startswith(f"{PUBLIC_URL}/webhooks/stream-callback")
    assert values["resume_url"].startswith(f"{PUBLIC_URL}/webhooks/resume")
    parameters = [(found.get("name"), found.get("value")) for found in stream.iter("Parameter")]
    assert len(dict(parameters)["token"]) >= 22, "a token has 128 bits at least"
    assert all(len(name) + len(value) < 500 for name, value in parameters)
    same(ours, connect_stream(values, disclosed=False, recorded=False, parameters=parameters))
    return dict(parameters)


def test_a_call_for_an_agent_is_connected(server):
    form = voice_form(new_sid("CA"))
    ours = fetch(server, "/webhooks/voice", form)
    token = connected(ours)["token"]
    assert fetch(server, "/webhooks/voice", form) == ours, "a replayed webhook gets the same document"
    other = connected(fetch(server, "/webhooks/voice", voice_form(new_sid("CA"))))
    assert other["token"] != token, "every call has a token of its own"


def test_a_webhook_replayed_after_the_call_brings_no_new_token(server):
    """Signatures do not age: whoever has seen a webhook can send it again."""
    form = voice_form(new_sid("CA"))
    token = connected(fetch(server, "/webhooks/voice", form))["token"]
    over = Form(*((name, "completed" if name == "CallStatus" else value) for name, value in form.pairs))
    over.pairs += [("CallDuration", "1"), ("SequenceNumber", "0"), ("CallbackSource", "call-progress-events")]
    assert signed_post("/webhooks/status-callback", over).send(server.port).status < 300
    again = ElementTree.fromstring(fetch(server, "/webhooks/voice", form))
    assert [found.get("value") for found in again.iter("Parameter") if found.get("name") == "token"] in ([], [token])


def test_a_call_for_nobody_is_rejected(idle_server):
    same(fetch(idle_server, "/webhooks/voice", voice_form(new_sid("CA"))), reject("rejected"))


def test_a_stream_that_breaks_is_taken_up_again_but_not_for_ever(server):
    """The carrier could not open our socket and asks how to go on: with a fresh token, and after some tries with an apology."""
    form = voice_form(new_sid("CA"))
    document = fetch(server, "/webhooks/voice", form)
    # The fragment says how to connect: the carrier neither sends nor signs it.
    path = ElementTree.fromstring(document).find("Redirect").text.removeprefix(PUBLIC_URL).split("#")[0]
    tokens = []
    while "<Connect>" in document:
        tokens.append(connected(document)["token"])
        assert len(tokens) < 10, "a stream that always breaks is taken up again for ever"
        document = fetch(server, path, form)
    assert len(tokens) > 1 and len(set(tokens)) == len(tokens)
    same(document, last_words(APOLOGY))


def test_the_end_of_an_unknown_call_is_the_end(server):
    same(fetch(server, "/webhooks/resume", voice_form(new_sid("CA"))), hang_up())
