"""pipecat's own Twilio serializer on the Twilio dialect: a bot made with it takes a call, is interrupted, and ends the call."""

import json

import pytest
from streamdouble.scenario import Dtmf, Expect, Wait, WaitFor

import programs
from carrier_side import ACCOUNT_SID, CALLER, OUR_NUMBER, PUBLIC_URL
from conftest import running, script, serve_settings
from test_streamdouble import admit, run, say

BOT = programs.ROOT / "tests" / "interop" / "pipecat" / "bot.py"
PYTHON = programs.ROOT / "target" / "interop-pipecat" / "bin" / "python"


@pytest.fixture(scope="module")
def bot(home):
    yield from script([PYTHON, BOT], home / "pipecat-bot.out")


@pytest.fixture(scope="module")
def bot_server(home, bot):
    settings = serve_settings(
        home,
        "pipecat",
        CLEARLINE__SERVER__PUBLIC_URL=PUBLIC_URL,
        CLEARLINE__MEDIA__UNSIGNED_LOOPBACK="true",
        CLEARLINE__CARRIER__TWILIO__API_URL="http://127.0.0.1:9",
        CLEARLINE__AGENTS__DEFAULT="twilio-stream:own",
        CLEARLINE__AGENTS__OWN__DIALECT="twilio-stream",
        CLEARLINE__AGENTS__OWN__URL=bot.url,
    )
    yield from running("pipecat", ["serve"], home, settings)


def test_a_pipecat_bot_talks_gives_way_and_hangs_up(bot_server, bot):
    call_sid, parameters = admit(bot_server)
    result = run(
        bot_server,
        call_sid,
        parameters,
        WaitFor("audio", 10),
        say("caller_hours"),
        Dtmf("5"),
        Expect("clear"),
        # The answer, and with it the greeting's mark, which the clear gave back.
        Wait(2),
        Dtmf("#"),
        Wait(8),
        quiet_period_s=1,
        max_drain_s=15,
    )
    assert result.failed_expectations == []
    assert result.violations == [] and result.unknown_events == []
    assert result.closed_by == "agent", "the bot's goodbye ends the call"
    # 4 s of greeting of which the rest was thrown away, then 0.8 s of the answer.
    cleared = result.events_of("clear_received")
    assert len(cleared) == 1
    after = [event.at for event in result.events_of("media_received") if event.at > cleared[0].at]
    assert after, "the answer was heard after the clear"

    heard = [json.loads(line) for line in bot.lines()]
    kinds = [line["what"] for line in heard]
    assert kinds[:2] == ["connected", "start"] and kinds.count("mark") == 1, kinds
    start = heard[1]
    assert (start["accountSid"], start["callSid"], start["tracks"]) == (ACCOUNT_SID, call_sid, ["inbound"])
    assert start["mediaFormat"] == {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
    told = start["customParameters"]
    assert (told["caller_number"], told["called_number"]) == (CALLER, OUR_NUMBER)
    assert told["party_known"] == "false" and told["remembered"] == ""
    assert [line["key"] for line in heard if line["what"] == "key"] == ["5", "#"]
    caller = heard[-1]
    assert caller["what"] == "heard" and caller["seconds"] > 2 and caller["loudest"] > 1_000, caller
