"""A small HTTP server in the place of a customer's own: answers with TwiML and keeps what the carrier asked and told it."""

import threading
import time
import urllib.parse
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from twilio.request_validator import SIGNATURE_HEADER, RequestValidator

from carrier_side import AUTH_TOKEN, Form


@dataclass(frozen=True)
class Told:
    """One request of the carrier's."""

    path: str
    form: Form
    is_genuine: bool
    headers: dict[str, str]

    def get(self, name: str) -> str | None:
        return next(iter(self.form.getall(name)), None)


class Listener:
    """`documents` maps a path to the document that is answered there; any other path is answered with nothing."""

    def __init__(self, documents: dict[str, str]):
        self.documents = documents
        self.told: list[Told] = []
        self._changed = threading.Condition()

    def __enter__(self) -> "Listener":
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                form = Form(*urllib.parse.parse_qsl(body, keep_blank_values=True, strict_parsing=bool(body)))
                signature = self.headers.get(SIGNATURE_HEADER, "")
                genuine = RequestValidator(AUTH_TOKEN).validate(listener.url + self.path, form, signature)
                with listener._changed:
                    listener.told.append(Told(self.path, form, genuine, dict(self.headers)))
                    listener._changed.notify_all()
                document = listener.documents.get(urllib.parse.urlsplit(self.path).path, "").encode()
                self.send_response(200 if document else 204)
                if document:
                    self.send_header("Content-Type", "text/xml")
                    self.send_header("Content-Length", str(len(document)))
                self.end_headers()
                self.wfile.write(document)

            def log_message(self, *_):
                """Nothing: what came in is in `told`."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def wait_for(self, fits, limit_s: float = 15) -> Told:
        """The first request that fits, past or to come."""
        deadline = time.monotonic() + limit_s
        with self._changed:
            while True:
                found = next((told for told in self.told if fits(told)), None)
                if found:
                    return found
                left = deadline - time.monotonic()
                assert left > 0, f"not told in {limit_s} s; but {[(t.path, t.get('CallStatus')) for t in self.told]}"
                self._changed.wait(left)
