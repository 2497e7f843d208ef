"""A bot as pipecat's users have one: whatever crosses its socket goes through pipecat's own Twilio serializer, at 16 kHz inside.

It says its greeting with a mark behind it, gives way when a key is pressed and says another sentence, and leaves when `#` is pressed.
Its first line on standard output is its URL, then comes a line for everything that it heard.
"""

import array
import asyncio
import json
import math
from types import SimpleNamespace

from pipecat.frames.frames import (
    InputAudioRawFrame,
    InputDTMFFrame,
    InterruptionFrame,
    OutputAudioRawFrame,
    OutputTransportMessageUrgentFrame,
)
from pipecat.serializers.twilio import TwilioFrameSerializer
from websockets.asyncio.server import serve

RATE = 16_000
GREETING_MS = 4_000
ANSWER_MS = 800


def note(what: str, **more) -> None:
    print(json.dumps({"what": what, **more}), flush=True)


def tone(ms: int, hertz: int) -> list[OutputAudioRawFrame]:
    """A tone in frames of 20 ms, 16-bit PCM."""
    frames = []
    per_frame = RATE // 50
    for first in range(0, RATE * ms // 1000, per_frame):
        wave = (int(8_000 * math.sin(2 * math.pi * hertz * n / RATE)) for n in range(first, first + per_frame))
        frames.append(OutputAudioRawFrame(audio=array.array("h", wave).tobytes(), sample_rate=RATE, num_channels=1))
    return frames


async def say(socket, serializer, frames) -> None:
    for frame in frames:
        message = await serializer.serialize(frame)
        # The resampler keeps the first few samples back.
        if message is not None:
            await socket.send(message)


async def converse(socket) -> None:
    connected = json.loads(await socket.recv())
    start = json.loads(await socket.recv())
    note("connected", event=connected["event"])
    note("start", **start["start"], stream_sid=start["streamSid"])
    serializer = TwilioFrameSerializer(
        stream_sid=start["streamSid"],
        call_sid=start["start"]["callSid"],
        params=TwilioFrameSerializer.InputParams(auto_hang_up=False),
    )
    await serializer.setup(SimpleNamespace(audio_in_sample_rate=RATE))
    mark = {"event": "mark", "streamSid": start["streamSid"], "mark": {"name": "greeting"}}
    await say(socket, serializer, [*tone(GREETING_MS, 440), OutputTransportMessageUrgentFrame(message=mark)])
    seconds, loudest = 0.0, 0
    async for message in socket:
        raw = json.loads(message)
        if raw["event"] == "mark":
            note("mark", name=raw["mark"]["name"])
        frame = await serializer.deserialize(message)
        if isinstance(frame, InputAudioRawFrame):
            seconds += len(frame.audio) / 2 / frame.sample_rate
            loudest = max(loudest, *map(abs, array.array("h", frame.audio)))
        elif isinstance(frame, InputDTMFFrame):
            note("key", key=frame.button.value)
            if frame.button.value == "#":
                note("heard", seconds=seconds, loudest=loudest)
                await socket.close(1000)
                return
            await say(socket, serializer, [InterruptionFrame(), *tone(ANSWER_MS, 880)])


async def main() -> None:
    async with serve(converse, "127.0.0.1", 0) as server:
        print(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        await server.serve_forever()


asyncio.run(main())
