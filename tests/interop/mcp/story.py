"""The work of one call as an agent does it, told once for every client library: `ask(tool, arguments)` is the library's own way."""

import json

SELLER = "+12125550113"
AGENT = "elevenlabs:agent_follow_up"

OWNERS = """initiate_call_with_compliance get_call_status end_call get_call_history list_active_calls twilio_make_call twilio_get_call
twilio_end_call twilio_record_call elevenlabs_create_agent elevenlabs_update_agent elevenlabs_get_agent elevenlabs_list_agents
elevenlabs_list_voices elevenlabs_get_voice check_tcpa_compliance verify_consent check_dnc_status""".split()


def body(result) -> dict:
    """A result's text, which must say the same as its structure."""
    text = json.loads(result.content[0].text)
    structured = getattr(result, "structured_content", None) or getattr(result, "structuredContent", None)
    is_error = getattr(result, "is_error", None)
    is_error = result.isError if is_error is None else is_error
    if is_error:
        raise Refused(text["error"])
    assert structured == text, (structured, text)
    return text


class Refused(Exception):
    """A tool that did not do what it was asked, with what it said."""

    def __init__(self, error: dict):
        super().__init__(error["code"])
        self.error = error


def check_tools(tools) -> None:
    """Every tool of the owner's is there; every tool says all four of its hints and both schemas."""
    names = [tool.name for tool in tools]
    assert not set(OWNERS) - set(names), set(OWNERS) - set(names)
    for tool in tools:
        plain = tool.model_dump(by_alias=True, mode="json")
        hints = plain["annotations"]
        for hint in ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"):
            assert hints[hint] in (True, False), (tool.name, hint)
        assert plain["title"] and plain["outputSchema"]["type"] == "object", tool.name


async def the_story(ask, followed) -> str:
    """Blocked, allowed, followed, told something, ended, read. `followed(call_id)` waits for news of the call; returns its id."""
    try:
        await ask("initiate_call_with_compliance", {"to": SELLER})
        raise AssertionError("the call was not blocked")
    except Refused as refused:
        assert refused.error["code"] == "compliance_blocked", refused.error
        assert all(reason["citation"] for reason in refused.error["details"]["reasons"]), refused.error
        assert refused.error["hint"].startswith("No call was placed"), refused.error
    try:
        await ask("initiate_call_with_compliance", {"to": "2125550113", "purpose": "sales"})
        raise AssertionError("the arguments were not checked")
    except Refused as refused:
        problems = refused.error["details"]["problems"]
        assert {problem["field"] for problem in problems} == {"to", "purpose"}, problems

    placed = await ask("initiate_call_with_compliance", {"to": SELLER, "purpose": "emergency", "agent": AGENT})
    call = placed["call_id"]
    async with followed(call):
        reached = False
        while not reached:
            reached = (await ask("wait_for_call", {"call_id": call, "until": "answered"}))["reached"]
    after, lines = 0, []
    while not lines:
        heard = await ask("get_call_transcript", {"call_id": call, "after_seq": after, "wait_secs": 20})
        after, lines = heard["next_seq"], heard["lines"]
    assert all(line["untrusted"] == (line["role"] == "caller") for line in lines), lines
    await tell(ask, call)
    await ask("end_call", {"call_id": call})
    ended = False
    while not ended:
        waited = await ask("wait_for_call", {"call_id": call, "until": "ended"})
        ended = waited["reached"]
    assert waited["call"]["state"] == "ended", waited
    whole = await ask("get_call_transcript", {"call_id": call})
    assert whole["ended"] and whole["lines"], whole
    return call


async def tell(ask, call: str) -> None:
    told = await ask("send_message_to_agent", {"call_id": call, "message": "The caller is in a hurry.", "kind": "context"})
    assert told["sent"], told
