"""The shipped lines of speech, as the caller's phone sends them: µ-law at 8 kHz in frames of 20 ms."""

from programs import ROOT

SPEECH = ROOT / "src" / "emulators" / "speech"

FRAME = 160
SILENCE = b"\xff"


def texts() -> dict[str, str]:
    """What is said in each line, by its name."""
    rows = (SPEECH / "lines.tsv").read_text(encoding="utf-8").splitlines()
    return {name: text for name, _voice, text in (row.split("\t") for row in rows)}


def audio(name: str) -> bytes:
    return (SPEECH / f"{name}.ulaw").read_bytes()


def frames(name: str) -> list[bytes]:
    """A line in whole frames, the last one filled with silence."""
    line = audio(name)
    return [line[at : at + FRAME].ljust(FRAME, SILENCE) for at in range(0, len(line), FRAME)]
