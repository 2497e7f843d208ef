"""What the carrier does, done with the official client: signs requests, sends them byte for byte, reads the answer."""

import http.client
import itertools
import time
import urllib.parse
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field

import websockets.sync.client
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import SIGNATURE_HEADER, SIGNATURE_SETTINGS_HEADER, RequestValidator

ACCOUNT_SID = "AC" + 32 * "0"
AUTH_TOKEN = "auth-token-of-the-interop-checks"
PREVIOUS_AUTH_TOKEN = "auth-token-before-its-rotation"
SHARED_KEY_ID = "webhooks_sharedkey_interop"
SHARED_KEY_SECRET = "shared-key-of-the-interop-checks"

OUR_NUMBER = "+12125550100"
CALLER = "+12125550113"

PUBLIC_URL = "https://voice.example.com"

# Where the official client sends its requests if nobody sends them elsewhere.
API = "https://api.twilio.com"

FORM = "application/x-www-form-urlencoded; charset=UTF-8"

_sids = itertools.count(1)


def new_sid(prefix: str) -> str:
    return f"{prefix}{next(_sids):032x}"


class Form:
    """Name and value pairs, names possibly repeated, in the shape in which the official validator takes them."""

    def __init__(self, *pairs: tuple[str, str]):
        self.pairs = list(pairs)

    def __iter__(self):
        return iter([name for name, _ in self.pairs])

    def __len__(self) -> int:
        return len(self.pairs)

    def getall(self, name: str) -> list[str]:
        return [value for key, value in self.pairs if key == name]

    def encoded(self) -> bytes:
        return urllib.parse.urlencode(self.pairs).encode()


def voice_form(call_sid: str, *more: tuple[str, str]) -> Form:
    """The parameters of an inbound call's first webhook."""
    return Form(
        ("AccountSid", ACCOUNT_SID),
        ("ApiVersion", "2010-04-01"),
        ("CallSid", call_sid),
        ("CallStatus", "ringing"),
        ("Called", OUR_NUMBER),
        ("Caller", CALLER),
        ("Direction", "inbound"),
        ("From", CALLER),
        ("To", OUR_NUMBER),
        *more,
    )


def sign(url: str, form: Form | None = None, token: str = AUTH_TOKEN, algorithm: str | None = None) -> str:
    return RequestValidator(token).compute_signature(url, form or {}, algorithm)


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: str

    def twiml(self) -> ElementTree.Element:
        assert self.status == 200, (self.status, self.body)
        content_type = self.headers.get_content_type()
        assert content_type in ("text/xml", "application/xml"), content_type
        document = ElementTree.fromstring(self.body)
        assert document.tag == "Response", self.body
        return document


@dataclass
class Request:
    """One request as it goes over the wire. `target` and `body` are sent as they are."""

    target: str
    method: str = "POST"
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    def send(self, port: int) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            skip_host = "Host" in self.headers
            connection.putrequest(self.method, self.target, skip_host=skip_host, skip_accept_encoding=True)
            headers = {"User-Agent": "TwilioProxy/1.1", "Accept": "*/*", **self.headers}
            if self.method == "POST":
                headers.setdefault("Content-Type", FORM)
                headers["Content-Length"] = str(len(self.body))
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders(self.body or None)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read().decode())
        finally:
            connection.close()


def signed_post(target: str, form: Form, base: str = PUBLIC_URL, token: str = AUTH_TOKEN) -> Request:
    return Request(target, body=form.encoded(), headers={SIGNATURE_HEADER: sign(base + target, form, token)})


def settings_header(key: str = SHARED_KEY_ID, algorithm: str = "HMAC_SHA256") -> dict[str, str]:
    return {SIGNATURE_SETTINGS_HEADER: f"key={key},algorithm={algorithm}"}


def open_media(port: int, signature: str | None, path: str = "/media") -> websockets.sync.client.ClientConnection:
    """Opens the media stream's socket as the carrier does. Raises `InvalidStatus` where it is refused."""
    headers = {SIGNATURE_HEADER: signature} if signature else {}
    return websockets.sync.client.connect(
        f"ws://127.0.0.1:{port}{path}", additional_headers=headers, compression=None, open_timeout=20, close_timeout=5
    )


class Loopback(TwilioHttpClient):
    """The official HTTP client, sent elsewhere."""

    def __init__(self, url: str):
        super().__init__(timeout=20)
        self.url = url

    def request(self, method, url, *arguments, **more):
        assert url.startswith(API + "/"), url
        return super().request(method, self.url + url.removeprefix(API), *arguments, **more)


def until(probe, limit_s: float = 15):
    """Asks again until there is an answer, which it returns: the carrier's view lags behind."""
    deadline = time.monotonic() + limit_s
    while not (found := probe()):
        assert time.monotonic() < deadline, f"not within {limit_s} s"
        time.sleep(0.05)
    return found
