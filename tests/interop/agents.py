"""The agents that the emulated ElevenLabs has from its start, each with a script of its own."""

# Public. A receptionist: answers a question about the opening hours and says goodbye.
RECEPTION = "agent_reception"

# Public. Calls about a house, can be talked over, books a visit with a tool of the client's.
FOLLOW_UP = "agent_follow_up"
BOOKING_TOOL = "book_appointment"

# Takes only who comes with a signed URL.
PRIVATE = "agent_private"
