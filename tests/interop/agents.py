"""The agents that the emulated ElevenLabs has from its start, each with a script of its own."""

import re

from programs import ROOT

XI_API_KEY = "xi-key-of-the-interop-checks"

# A receptionist: answers a question about the opening hours and says goodbye. Anybody may talk to it.
RECEPTION = "agent_reception"

# Calls about a house, can be talked over, notes down a visit with a tool of the client's.
FOLLOW_UP = "agent_follow_up"


def tool_of_follow_up() -> str:
    """The name of the tool, as its script has it."""
    script = ROOT / "src" / "emulators" / "scripts" / "follow_up.txt"
    return re.search(r"^tool: (\w+)", script.read_text(encoding="utf-8"), re.MULTILINE)[1]
