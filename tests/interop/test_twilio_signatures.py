"""The official client signs our webhooks and stream upgrades: what it signs is let in, what was changed afterwards is not."""

import hashlib
import random

import pytest
from twilio.request_validator import SIGNATURE_HEADER, RequestValidator
from websockets.exceptions import InvalidStatus

from carrier_side import (
    AUTH_TOKEN,
    PREVIOUS_AUTH_TOKEN,
    PUBLIC_URL,
    SHARED_KEY_SECRET,
    Form,
    Request,
    new_sid,
    open_media,
    settings_header,
    sign,
    signed_post,
    voice_form,
)

VOICE = "/webhooks/voice"

ODD_FORMS = {
    "as Twilio sends it": [],
    "blanks": [("ForwardedFrom", ""), ("FromCity", ""), ("ToZip", "")],
    "spaces that must stay": [("SpeechResult", "  two in front, one behind "), ("CallerName", " ")],
    "not ASCII": [("CallerName", "José Ñandú"), ("FromCity", "東京"), ("SpeechResult", "naïve 🎉 e\u0301")],
    "signs of the encoding": [("SpeechResult", "a+b=c&d%2B;e#f?g/h:i@j"), ("CallerName", "100% %zz + 'it'")],
    "names that differ in case": [("Zeta", "1"), ("alpha", "2"), ("ALPHA", "3"), ("zeta", "4")],
    "names with dots": [("MessagingBinding.Address", number) for number in ("+12125550111", "+12125550112")],
    "repeated names": [("Digits", "5678"), ("Digits", "1234"), ("Digits", "1234"), ("Digits", "")],
    "a name that continues in the value": [("Ab", "Cd"), ("AbC", "d")],
    "line breaks and tabs": [("SpeechResult", "one\r\ntwo\tthree\n")],
    "a long value": [("StirPassportToken", "x" * 4_000)],
    "new parameters": [("TomorrowsParameter", "1"), ("tomorrow_too", "2")],
}


def refused(answer, computed_url: str) -> None:
    assert answer.status == 403, (answer.status, answer.body)
    assert computed_url in answer.body, f"the refusal does not say that {computed_url} was computed: {answer.body}"
    assert AUTH_TOKEN not in answer.body
    assert "public_url" in answer.body, f"the refusal does not say what to set: {answer.body}"


@pytest.mark.parametrize("more", ODD_FORMS.values(), ids=ODD_FORMS.keys())
def test_a_signed_form_is_accepted(idle_server, more):
    form = voice_form(new_sid("CA"), *more)
    request = signed_post(VOICE, form)
    assert RequestValidator(AUTH_TOKEN).validate(PUBLIC_URL + VOICE, form, request.headers[SIGNATURE_HEADER])
    request.send(idle_server.port).twiml()


def test_random_signed_forms_are_accepted_and_any_change_is_refused(idle_server):
    rng = random.Random(2026)
    letters = "abzABZ019 +%&=;'\"<>/?#@:,.~*-_\t\u00e9\u00df\u4e2d\U0001f389"
    text = lambda limit: "".join(rng.choices(letters, k=rng.randrange(limit)))
    for _ in range(100):
        more = [("X" + text(8), text(30)) for _ in range(rng.randrange(1, 8))]
        form = voice_form(new_sid("CA"), *more)
        request = signed_post(VOICE, form)
        request.send(idle_server.port).twiml()
        at = rng.randrange(len(form.pairs))
        name, value = form.pairs[at]
        form.pairs[at] = (name, value + "!")
        request.body = form.encoded()
        refused(request.send(idle_server.port), PUBLIC_URL + VOICE)


def test_order_on_the_wire_does_not_matter(idle_server):
    form = voice_form(new_sid("CA"), ("b", "1"), ("A", "2"))
    request = signed_post(VOICE, form)
    request.body = Form(*reversed(form.pairs)).encoded()
    request.send(idle_server.port).twiml()


@pytest.mark.parametrize("port", ["", ":443"])
def test_the_url_is_signed_with_and_without_its_port(idle_server, port):
    signed_post(VOICE, voice_form(new_sid("CA")), base=PUBLIC_URL + port).send(idle_server.port).twiml()


@pytest.mark.parametrize("query", ["?agentId=a", "?a=1&b=%2B1+2&c=", "?x=a%20b&y=it's", "?"])
def test_the_query_of_a_post_is_part_of_the_url(idle_server, query):
    form = voice_form(new_sid("CA"))
    signed_post(VOICE + query, form).send(idle_server.port).twiml()
    request = signed_post(VOICE, form)
    request.target += query
    if query != "?":
        assert request.send(idle_server.port).status == 403


def test_a_signed_get_is_accepted(idle_server):
    target = f"{VOICE}?{voice_form(new_sid('CA'), ('CallerName', 'José +1')).encoded().decode()}"
    request = Request(target, "GET", headers={SIGNATURE_HEADER: sign(PUBLIC_URL + target)})
    request.send(idle_server.port).twiml()
    request.target += "&Digits=1"
    answer = request.send(idle_server.port)
    refused(answer, PUBLIC_URL + VOICE)


def test_the_default_public_url_is_the_listening_address(unnamed_server):
    form = voice_form(new_sid("CA"))
    signed_post(VOICE, form, base=unnamed_server.url).send(unnamed_server.port).twiml()
    refused(signed_post(VOICE, form).send(unnamed_server.port), unnamed_server.url + VOICE)


def changed_value(request, form):
    request.body = Form(*form.pairs[:-1], (form.pairs[-1][0], "+12125550199")).encoded()


def added_parameter(request, form):
    request.body += b"&Digits=1"


def removed_parameter(request, form):
    request.body = Form(*form.pairs[1:]).encoded()


def trimmed_value(request, form):
    request.body = request.body.replace(b"CallerName=+Jo+", b"CallerName=Jo")


def other_path(request, form):
    request.target = "/webhooks/status-callback"


def other_signature(request, form):
    request.headers[SIGNATURE_HEADER] = sign(PUBLIC_URL + VOICE, form, "a token of somebody else")


def short_signature(request, form):
    request.headers[SIGNATURE_HEADER] = request.headers[SIGNATURE_HEADER][:-1]


def sha256_without_saying_so(request, form):
    request.headers[SIGNATURE_HEADER] = sign(PUBLIC_URL + VOICE, form, AUTH_TOKEN, "HMAC_SHA256")


def signature_of_the_url_alone(request, form):
    request.headers[SIGNATURE_HEADER] = sign(PUBLIC_URL + VOICE)


def signature_for_another_host(request, form):
    request.headers[SIGNATURE_HEADER] = sign("https://voice.example.org" + VOICE, form)


def host_header_of_the_attacker(request, form):
    request.headers[SIGNATURE_HEADER] = sign("https://attacker.example.com" + VOICE, form)
    request.headers["Host"] = "attacker.example.com"
    request.headers["X-Forwarded-Host"] = "attacker.example.com"
    request.headers["X-Forwarded-Proto"] = "https"


TAMPERINGS = [
    changed_value,
    added_parameter,
    removed_parameter,
    trimmed_value,
    other_path,
    other_signature,
    short_signature,
    sha256_without_saying_so,
    signature_of_the_url_alone,
    signature_for_another_host,
    host_header_of_the_attacker,
]


@pytest.mark.parametrize("tamper", TAMPERINGS)
def test_a_tampered_request_is_refused(idle_server, tamper):
    form = voice_form(new_sid("CA"), ("CallerName", " Jo "), ("Zip", "10001"))
    request = signed_post(VOICE, form)
    tamper(request, form)
    refused(request.send(idle_server.port), PUBLIC_URL + request.target)


@pytest.mark.parametrize("headers", [{}, {SIGNATURE_HEADER: ""}], ids=["none", "empty"])
def test_an_unsigned_request_is_refused(idle_server, headers):
    answer = Request(VOICE, body=voice_form(new_sid("CA")).encoded(), headers=headers).send(idle_server.port)
    assert answer.status == 403
    assert "X-Twilio-Signature" in answer.body


@pytest.mark.parametrize(
    "target",
    ["status-callback", "recording-callback", "amd-callback", "stream-callback", "resume"],
)
def test_every_webhook_of_the_carrier_wants_a_signature(idle_server, target):
    form = voice_form(new_sid("CA"), ("RecordingSid", new_sid("RE")))
    path = f"/webhooks/{target}"
    unsigned = Request(path, body=form.encoded())
    assert unsigned.send(idle_server.port).status == 403
    assert signed_post(path, form).send(idle_server.port).status < 400


def test_both_tokens_sign_while_one_is_rotated(idle_server):
    for token in (AUTH_TOKEN, PREVIOUS_AUTH_TOKEN):
        signed_post(VOICE, voice_form(new_sid("CA")), token=token).send(idle_server.port).twiml()


@pytest.mark.parametrize("algorithm", ["HMAC_SHA256", "HMAC_SHA1"])
def test_a_shared_key_signs(idle_server, algorithm):
    form = voice_form(new_sid("CA"), ("CallerName", "José"))
    signature = sign(PUBLIC_URL + VOICE, form, SHARED_KEY_SECRET, algorithm)
    headers = {SIGNATURE_HEADER: signature, **settings_header(algorithm=algorithm)}
    request = Request(VOICE, body=form.encoded(), headers=headers)
    request.send(idle_server.port).twiml()
    request.body += b"&Digits=1"
    refused(request.send(idle_server.port), PUBLIC_URL + VOICE)


@pytest.mark.parametrize(
    ("secret", "algorithm", "settings"),
    [
        (AUTH_TOKEN, "HMAC_SHA256", settings_header()),
        (AUTH_TOKEN, "HMAC_SHA1", settings_header(algorithm="HMAC_SHA1")),
        (SHARED_KEY_SECRET, "HMAC_SHA256", {}),
        (SHARED_KEY_SECRET, "HMAC_SHA1", {}),
        (SHARED_KEY_SECRET, "HMAC_SHA256", settings_header(algorithm="HMAC_SHA1")),
        (SHARED_KEY_SECRET, "HMAC_SHA256", settings_header(algorithm="HMAC_SHA512")),
        (SHARED_KEY_SECRET, "HMAC_SHA256", settings_header(algorithm="none")),
        (SHARED_KEY_SECRET, "HMAC_SHA256", settings_header(key="webhooks_sharedkey_unknown")),
        ("", "HMAC_SHA256", settings_header(key="")),
    ],
)
def test_a_header_cannot_choose_a_secret_or_a_weaker_algorithm(idle_server, secret, algorithm, settings):
    form = voice_form(new_sid("CA"))
    headers = {SIGNATURE_HEADER: sign(PUBLIC_URL + VOICE, form, secret, algorithm), **settings}
    assert Request(VOICE, body=form.encoded(), headers=headers).send(idle_server.port).status == 403


def test_a_json_body_is_covered_by_its_hash(idle_server):
    body = '{"CallSid": "CA1", "Caller": "José"}'
    target = f"{VOICE}?a=1&bodySHA256={hashlib.sha256(body.encode()).hexdigest()}"
    signature = sign(PUBLIC_URL + target)
    assert RequestValidator(AUTH_TOKEN).validate(PUBLIC_URL + target, body, signature)
    headers = {SIGNATURE_HEADER: signature, "Content-Type": "application/json"}
    # A voice webhook is a form, so that this one is of no use; but it comes from Twilio.
    assert Request(target, body=body.encode(), headers=headers).send(idle_server.port).status != 403
    assert Request(target, body=body.encode() + b" ", headers=headers).send(idle_server.port).status == 403
    unhashed = {SIGNATURE_HEADER: sign(PUBLIC_URL + VOICE), "Content-Type": "application/json"}
    assert Request(VOICE, body=body.encode(), headers=unhashed).send(idle_server.port).status == 403


WSS_URL = "wss" + PUBLIC_URL.removeprefix("https")


@pytest.mark.parametrize("url", [f"{WSS_URL}/media", f"{WSS_URL}/media/", f"{WSS_URL}:443/media"])
def test_a_signed_upgrade_is_accepted(idle_server, url):
    with open_media(idle_server.port, sign(url)) as socket:
        assert socket.response.status_code == 101


def test_an_upgrade_to_the_default_public_url_is_accepted(unnamed_server):
    with open_media(unnamed_server.port, sign(f"{unnamed_server.ws_url}/media")) as socket:
        assert socket.response.status_code == 101


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        sign(f"{WSS_URL}/media", token="a token of somebody else"),
        sign(f"{WSS_URL}/other"),
        sign(f"{PUBLIC_URL}/media"),
        sign("wss://voice.example.org/media"),
    ],
    ids=["none", "empty", "other token", "other path", "https", "other host"],
)
def test_an_unsigned_or_tampered_upgrade_is_refused(idle_server, signature):
    with pytest.raises(InvalidStatus) as refusal:
        open_media(idle_server.port, signature)
    assert refusal.value.response.status_code == 403
    if signature:
        assert f"{WSS_URL}/media" in refusal.value.response.body.decode()


def test_an_upgrade_signed_with_the_previous_token_is_accepted(idle_server):
    with open_media(idle_server.port, sign(f"{WSS_URL}/media", token=PREVIOUS_AUTH_TOKEN)) as socket:
        assert socket.response.status_code == 101
