"""The official ElevenLabs client holds whole conversations with the emulated agent, and reads and writes its REST API."""

import queue
import threading
import time
from dataclasses import dataclass, field

import pytest
from elevenlabs import ElevenLabs
from elevenlabs.conversational_ai.conversation import (
    AudioInterface,
    ClientTools,
    Conversation,
    ConversationInitiationData,
    DisconnectionDetails,
)
from elevenlabs.core.api_error import ApiError
from elevenlabs.errors import UnprocessableEntityError

import speech
from agents import FOLLOW_UP, RECEPTION, XI_API_KEY, tool_of_follow_up

LIMIT_S = 30

TEXTS = speech.texts()


class Phone(AudioInterface):
    """A caller's ear and mouth: sends 20 ms of audio fifty times a second, silence where nothing is said."""

    def __init__(self):
        self.heard: list[bytes] = []
        self.interruptions: list[int] = []
        self._mouth: queue.Queue[bytes] = queue.Queue()
        self._silent = threading.Event()

    def start(self, input_callback):
        self._thread = threading.Thread(target=self._talk, args=(input_callback,))
        self._thread.start()

    def stop(self):
        self._silent.set()

    def output(self, audio: bytes):
        self.heard.append(audio)

    def interrupt(self):
        # How many chunks had been heard.
        self.interruptions.append(len(self.heard))

    def say(self, line: str) -> None:
        for frame in speech.frames(line):
            self._mouth.put(frame)

    def _talk(self, send) -> None:
        due = time.monotonic()
        while not self._silent.is_set():
            try:
                frame = self._mouth.get_nowait()
            except queue.Empty:
                frame = speech.SILENCE * speech.FRAME
            send(frame)
            due += 0.02
            self._silent.wait(max(0.0, due - time.monotonic()))


@dataclass
class Call:
    """One conversation, with all that the client told of it, in order."""

    client: ElevenLabs
    agent_id: str
    requires_auth: bool = False
    tools: ClientTools | None = None
    variables: dict = field(default_factory=dict)
    told: list[tuple[str, object]] = field(default_factory=list)

    def __post_init__(self):
        self.phone = Phone()
        self._news = threading.Condition()
        self.conversation = Conversation(
            self.client,
            self.agent_id,
            requires_auth=self.requires_auth,
            audio_interface=self.phone,
            client_tools=self.tools,
            config=ConversationInitiationData(dynamic_variables=self.variables),
            callback_agent_response=lambda text: self._tell("agent", text),
            callback_agent_response_correction=lambda original, corrected: self._tell("corrected", (original, corrected)),
            callback_user_transcript=lambda text: self._tell("user", text),
            callback_latency_measurement=lambda latency: self._tell("ping", latency),
            callback_disconnect=lambda details: self._tell("end", details),
        )

    def __enter__(self) -> "Call":
        self.conversation.start_session()
        return self

    def __exit__(self, *_):
        self.conversation.end_session()
        self.conversation.wait_for_session_end()
        self.phone.stop()

    def _tell(self, kind: str, what: object) -> None:
        with self._news:
            self.told.append((kind, what))
            self._news.notify_all()

    def wait_for(self, kind: str, what: object = None) -> object:
        """Waits until this was told: of this kind, and, where given, this text."""
        deadline = time.monotonic() + LIMIT_S
        with self._news:
            while True:
                found = [told for told in self.told if told[0] == kind and what in (None, told[1])]
                if found:
                    return found[0][1]
                left = deadline - time.monotonic()
                assert left > 0, f"{kind} {what or ''} was not told in {LIMIT_S} s, but: {self.told}"
                self._news.wait(left)

    def has_heard(self, line: str) -> bool:
        return speech.audio(line) in b"".join(self.phone.heard)

    def wait_to_hear(self, line: str) -> None:
        deadline = time.monotonic() + LIMIT_S
        while not self.has_heard(line):
            assert time.monotonic() < deadline, f"{line} was not heard in {LIMIT_S} s"
            time.sleep(0.02)


@pytest.fixture
def client(elevenlabs_emulator):
    return ElevenLabs(base_url=elevenlabs_emulator.url, api_key=XI_API_KEY)


def ordered(call: Call, *expected: tuple[str, object]) -> None:
    """That these were told in this order, others between them allowed."""
    rest = iter(call.told)
    missing = [one for one in expected if one not in rest]
    assert not missing, f"not told, or not in order: {missing}; told: {call.told}"


def test_a_whole_conversation_with_a_public_agent(elevenlabs_emulator):
    stranger = ElevenLabs(base_url=elevenlabs_emulator.url, api_key=None)
    with Call(stranger, RECEPTION, variables={"caller_number": "+12125550113", "visits": 3, "vip": True}) as call:
        call.wait_for("agent", TEXTS["agent_reception"])
        call.wait_to_hear("agent_reception")
        time.sleep(seconds("agent_reception"))
        call.phone.say("caller_hours")
        call.wait_for("user", TEXTS["caller_hours"])
        call.wait_for("agent", TEXTS["agent_hours"])
        call.wait_to_hear("agent_hours")
        time.sleep(seconds("agent_hours"))
        call.phone.say("caller_no_message")
        call.wait_for("user", TEXTS["caller_no_message"])
        call.wait_for("agent", TEXTS["agent_goodbye"])
        call.wait_for("ping")
        ended = call.wait_for("end")
        assert isinstance(ended, DisconnectionDetails)
        assert (ended.reason, ended.close_code) == ("agent", 1000), ended
        assert call.conversation.wait_for_session_end().startswith("conv_")
    assert call.phone.interruptions == []
    ordered(
        call,
        ("agent", TEXTS["agent_reception"]),
        ("user", TEXTS["caller_hours"]),
        ("agent", TEXTS["agent_hours"]),
        ("user", TEXTS["caller_no_message"]),
        ("agent", TEXTS["agent_goodbye"]),
    )
    assert call.has_heard("agent_goodbye")


def seconds(line: str) -> float:
    """How long a line plays: a caller who speaks sooner talks over it."""
    return len(speech.audio(line)) / 8_000


def test_a_private_agent_takes_only_who_comes_with_its_signed_url(client, elevenlabs_emulator):
    private = {"auth": {"enable_auth": True}}
    made = client.conversational_ai.agents.create(conversation_config=config("Hello."), platform_settings=private)
    with Call(client, made.agent_id, requires_auth=True) as call:
        call.wait_for("agent")
    assert call.wait_for("end").reason == "user"
    stranger = ElevenLabs(base_url=elevenlabs_emulator.url, api_key=None)
    with Call(stranger, made.agent_id) as call:
        assert call.wait_for("end").reason == "error"
    assert [kind for kind, _ in call.told] == ["end"] and call.phone.heard == []
    with pytest.raises(ApiError) as refused:
        stranger.conversational_ai.conversations.get_signed_url(agent_id=made.agent_id)
    assert refused.value.status_code == 401


def test_an_unknown_agent_is_refused(client):
    with pytest.raises(ApiError) as refused:
        client.conversational_ai.conversations.get_signed_url(agent_id="agent_nobody_made")
    assert refused.value.status_code == 404
    with Call(client, "agent_nobody_made") as call:
        assert call.wait_for("end").reason == "error"


def test_a_caller_talks_over_the_agent(client):
    tools = ClientTools()
    booked: list[dict] = []
    tools.register(tool_of_follow_up(), lambda parameters: booked.append(parameters) or "booked")
    with Call(client, FOLLOW_UP, requires_auth=True, tools=tools) as call:
        call.wait_for("agent", TEXTS["agent_follow_up"])
        call.wait_to_hear("agent_follow_up")
        time.sleep(seconds("agent_follow_up"))
        call.phone.say("caller_good_time")
        call.wait_for("agent", TEXTS["agent_offer"])
        # Well into the offer, which takes some ten seconds to say.
        time.sleep(2)
        call.phone.say("caller_how_soon")
        original, corrected = call.wait_for("corrected")
        assert len(call.phone.interruptions) == 1
        assert original == TEXTS["agent_offer"]
        assert original.startswith(corrected.rstrip(".… ")) and len(corrected) < len(original)
        call.wait_for("agent", TEXTS["agent_closing"])
        call.wait_to_hear("agent_closing")
        time.sleep(seconds("agent_closing"))
        call.phone.say("caller_thursday")
        # A tool of the client's is called, and its answer decides what the agent says.
        call.wait_for("agent", TEXTS["agent_booked"])
        assert call.wait_for("end").reason == "agent"
    assert len(booked) == 1 and booked[0]["tool_call_id"]
    assert "Thursday" in str(booked[0]), "the tool's parameters come with the call"
    assert len(call.phone.interruptions) == 1


def test_a_tool_that_fails_is_told_to_the_agent(client):
    tools = ClientTools()

    def fail(parameters):
        raise RuntimeError("the calendar is away")

    tools.register(tool_of_follow_up(), fail)
    with Call(client, FOLLOW_UP, requires_auth=True, tools=tools) as call:
        for heard, said in (("agent_follow_up", "caller_good_time"), ("agent_offer", "caller_thursday")):
            call.wait_to_hear(heard)
            time.sleep(seconds(heard))
            call.phone.say(said)
        call.wait_for("agent", TEXTS["agent_not_booked"])


def config(text: str) -> dict:
    return {
        "agent": {"first_message": text, "language": "en", "prompt": {"prompt": "Be brief."}},
        "asr": {"user_input_audio_format": "ulaw_8000"},
        "tts": {"agent_output_audio_format": "ulaw_8000"},
    }


def test_agents_are_made_read_listed_and_changed(client):
    agents = client.conversational_ai.agents
    made = agents.create(conversation_config=config("Hello from a check."), name="Interop", tags=["check"])
    assert made.agent_id
    agent = agents.get(made.agent_id)
    assert (agent.agent_id, agent.name, agent.tags) == (made.agent_id, "Interop", ["check"])
    assert agent.conversation_config.agent.first_message == "Hello from a check."
    assert agent.conversation_config.asr.user_input_audio_format == "ulaw_8000"
    assert agent.conversation_config.tts.agent_output_audio_format == "ulaw_8000"
    # A change is merged deeply: what is not named stays.
    changed = agents.update(made.agent_id, conversation_config={"agent": {"first_message": "Changed."}}, name="Renamed")
    assert (changed.name, changed.conversation_config.agent.first_message) == ("Renamed", "Changed.")
    again = agents.get(made.agent_id)
    assert again.conversation_config.agent.prompt.prompt == "Be brief."
    assert again.conversation_config.asr.user_input_audio_format == "ulaw_8000"
    listed, cursor = [], None
    while True:
        page = agents.list(page_size=1, cursor=cursor)
        assert len(page.agents) <= 1
        listed += page.agents
        cursor = page.next_cursor
        if not page.has_more:
            break
        assert cursor
    assert len({found.agent_id for found in listed}) == len(listed)
    assert "Renamed" in [found.name for found in listed if found.agent_id == made.agent_id]
    assert [found.agent_id for found in agents.list(search="Renamed").agents] == [made.agent_id]


def test_a_new_agent_can_be_called(client):
    made = client.conversational_ai.agents.create(conversation_config=config("Hello from a check."), name="Called")
    with Call(client, made.agent_id) as call:
        call.wait_for("agent", "Hello from a check.")


def test_voices_are_listed_and_read(client):
    page = client.voices.search(page_size=1)
    assert len(page.voices) == 1 and page.total_count >= 1
    everything = client.voices.get_all().voices
    assert len(everything) == page.total_count
    voice = client.voices.get(everything[0].voice_id)
    assert (voice.voice_id, voice.name) == (everything[0].voice_id, everything[0].name)


def test_errors_have_the_vendors_shape(client, elevenlabs_emulator):
    with pytest.raises(UnprocessableEntityError) as invalid:
        client.conversational_ai.agents.create(conversation_config="not an object")
    problems = invalid.value.body["detail"]
    assert isinstance(problems, list) and {"loc", "msg", "type"} <= set(problems[0])
    for request in (
        lambda: client.conversational_ai.agents.get("agent_nobody_made"),
        lambda: client.conversational_ai.agents.update("agent_nobody_made", name="x"),
        lambda: client.voices.get("voice_nobody_has"),
    ):
        with pytest.raises(ApiError) as missing:
            request()
        assert missing.value.status_code == 404
        assert missing.value.body["detail"]["message"]
    stranger = ElevenLabs(base_url=elevenlabs_emulator.url, api_key=None)
    with pytest.raises(ApiError) as refused:
        stranger.conversational_ai.agents.list()
    assert refused.value.status_code == 401
