"""A proxy that passes HTTP and WebSocket on, unchanged, and keeps what passed."""

import asyncio
import threading
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "content-length"}


@dataclass(frozen=True)
class Exchange:
    """One HTTP request and its answer."""

    method: str
    target: str
    request_type: str
    request: str
    status: int
    answer_type: str
    answer: str


@dataclass(frozen=True)
class Message:
    """One WebSocket message. `to_server` is the direction: from who connected to who was connected to."""

    target: str
    to_server: bool
    text: str


@dataclass
class Recorder:
    """Listens on a free port of loopback. `upstream` may be set after the start, before the first request."""

    upstream: str = ""
    exchanges: list[Exchange] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    url: str = ""

    def __enter__(self) -> "Recorder":
        started = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(started,), name="recorder")
        self._thread.start()
        assert started.wait(10), "the recording proxy did not start"
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(15)
        assert not self._thread.is_alive(), "the recording proxy did not end"

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve(started))
        self._loop.close()

    async def _serve(self, started: threading.Event) -> None:
        self._stop = asyncio.Event()
        app = web.Application(client_max_size=32 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = "http://127.0.0.1:%d" % runner.addresses[0][1]
        async with aiohttp.ClientSession(auto_decompress=False) as self._client:
            started.set()
            await self._stop.wait()
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        try:
            if request.headers.get("Upgrade", "").lower() == "websocket":
                return await self._relay(request)
            return await self._forward(request)
        except (aiohttp.ClientError, OSError) as problem:
            self.problems.append(f"{request.method} {request.path}: {problem!r}")
            return web.Response(status=502, text=repr(problem))

    async def _forward(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP | {"host"}}
        url = aiohttp.client.URL(self.upstream + request.raw_path, encoded=True)
        async with self._client.request(
            request.method, url, data=body, headers=headers, allow_redirects=False
        ) as answer:
            text = await answer.read()
            kind = answer.headers.get("Content-Type", "")
            self.exchanges.append(
                Exchange(
                    request.method,
                    request.raw_path,
                    request.headers.get("Content-Type", "").split(";")[0],
                    body.decode("utf-8", "replace"),
                    answer.status,
                    kind.split(";")[0],
                    text.decode("utf-8", "replace"),
                )
            )
            # Addresses that the server gives of itself lead past this proxy: they are given as its own.
            for scheme in ("http", "ws"):
                theirs, ours = (scheme + url.removeprefix("http") for url in (self.upstream, self.url))
                text = text.replace(theirs.encode(), ours.encode())
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
            return web.Response(status=answer.status, body=text, headers=kept)

    async def _relay(self, request: web.Request) -> web.WebSocketResponse:
        near = web.WebSocketResponse(autoping=False, autoclose=False, compress=False, max_msg_size=16 * 1024 * 1024)
        await near.prepare(request)
        copied = {
            name: value for name, value in request.headers.items() if name.lower().startswith(("x-", "user-agent", "i-"))
        }
        url = aiohttp.client.URL("ws" + self.upstream.removeprefix("http") + request.raw_path, encoded=True)
        async with self._client.ws_connect(
            url, headers=copied, autoping=False, autoclose=False, max_msg_size=16 * 1024 * 1024
        ) as far:
            await asyncio.gather(
                self._pass_on(near, far, request.path, to_server=True),
                self._pass_on(far, near, request.path, to_server=False),
            )
        return near

    async def _pass_on(self, source, sink, target: str, *, to_server: bool) -> None:
        while True:
            message = await source.receive()
            match message.type:
                case aiohttp.WSMsgType.TEXT:
                    self.messages.append(Message(target, to_server, message.data))
                    await sink.send_str(message.data)
                case aiohttp.WSMsgType.BINARY:
                    self.problems.append(f"a binary message on {target}")
                    await sink.send_bytes(message.data)
                case aiohttp.WSMsgType.PING:
                    await sink.ping(message.data)
                case aiohttp.WSMsgType.PONG:
                    await sink.pong(message.data)
                case _:
                    if not sink.closed:
                        code = source.close_code or 1000
                        await sink.close(code=code if code not in (1005, 1006) else 1000)
                    return
