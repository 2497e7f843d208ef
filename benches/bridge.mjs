// A bridge between Twilio's media stream and an ElevenLabs agent as one writes it in Node, with a WebSocket of its own so that it
// needs no package. `clearline bench relay --compare` runs it beside the product: `node bridge.mjs HOST:PORT`.
import { createHash, randomBytes } from "node:crypto";
import { createServer, request } from "node:http";

const [host, port] = process.argv[2].split(":");

// One side of a WebSocket (RFC 6455 section 5): text messages in, text messages out.
class Socket {
  constructor(stream, masks) {
    this.stream = stream;
    this.masks = masks;
    this.buffer = Buffer.alloc(0);
    stream.setNoDelay(true);
    stream.on("data", (data) => this.take(data));
    stream.on("error", () => stream.destroy());
    stream.on("close", () => this.onclose?.());
  }

  take(data) {
    this.buffer = this.buffer.length ? Buffer.concat([this.buffer, data]) : data;
    for (;;) {
      const b = this.buffer;
      if (b.length < 2) return;
      let length = b[1] & 127, at = 2;
      if (length === 126) { if (b.length < 4) return; length = b.readUInt16BE(2); at = 4; }
      else if (length === 127) { if (b.length < 10) return; length = Number(b.readBigUInt64BE(2)); at = 10; }
      const masked = b[1] & 128, start = at + (masked ? 4 : 0);
      if (b.length < start + length) return;
      const payload = b.subarray(start, start + length);
      if (masked) for (let i = 0; i < length; i++) payload[i] ^= b[at + (i & 3)];
      this.buffer = b.subarray(start + length);
      if (b[0] === 0x81) this.onmessage?.(JSON.parse(payload.toString()));
      else if (b[0] === 0x88) return this.close();
    }
  }

  send(message) {
    const payload = Buffer.from(JSON.stringify(message));
    const head = payload.length < 126 ? Buffer.from([0x81, payload.length]) : Buffer.from([0x81, 126, payload.length >> 8, payload.length & 255]);
    if (!this.masks) return this.stream.write(Buffer.concat([head, payload]));
    head[1] |= 128;
    const mask = randomBytes(4);
    for (let i = 0; i < payload.length; i++) payload[i] ^= mask[i & 3];
    this.stream.write(Buffer.concat([head, mask, payload]));
  }

  close() {
    this.stream.destroy();
  }
}

function connectAgent(ready) {
  const upgrade = request({ host, port, path: "/v1/convai/conversation", headers: {
    connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": 13, "sec-websocket-key": randomBytes(16).toString("base64"),
  } });
  upgrade.on("upgrade", (_, stream, head) => { if (head.length) stream.unshift(head); ready(new Socket(stream, true)); });
  upgrade.on("error", () => {});
  upgrade.end();
}

const server = createServer((_, answer) => answer.writeHead(404).end());
server.on("upgrade", (call, stream) => {
  const accept = createHash("sha1").update(call.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64");
  stream.write(`HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: ${accept}\r\n\r\n`);
  const carrier = new Socket(stream, false);
  let agent, streamSid;
  const early = [];
  const toAgent = (message) => (agent ? agent.send(message) : early.push(message));
  carrier.onmessage = (message) => {
    if (message.event === "media") toAgent({ user_audio_chunk: message.media.payload });
    else if (message.event === "start") {
      streamSid = message.streamSid;
      toAgent({ type: "conversation_initiation_client_data", dynamic_variables: { call_sid: message.start.callSid } });
    } else if (message.event === "stop") agent?.close();
  };
  carrier.onclose = () => agent?.close();
  connectAgent((socket) => {
    agent = socket;
    agent.onmessage = (message) => {
      if (message.type === "audio") carrier.send({ event: "media", streamSid, media: { payload: message.audio_event.audio_base_64 } });
      else if (message.type === "interruption") carrier.send({ event: "clear", streamSid });
      else if (message.type === "ping") agent.send({ type: "pong", event_id: message.ping_event.event_id });
    };
    agent.onclose = () => carrier.close();
    early.forEach((message) => agent.send(message));
  });
});
server.listen(0, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
