"""Starts the real binary, learns its address from its first line, and sees that it ends."""

import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("CLEARLINE_BINARY", ROOT / "target" / "release" / "clearline"))

START_LIMIT_S = 30
STOP_LIMIT_S = 20

FIRST_LINE = re.compile(r"\Alistening on (http://127\.0\.0\.1:\d+).*\n")


@dataclass
class Program:
    """A running `clearline …` and what it has written."""

    name: str
    process: subprocess.Popen
    output: Path
    log: Path
    url: str = ""

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    @property
    def ws_url(self) -> str:
        return "ws" + self.url.removeprefix("http")

    def said(self) -> str:
        """All that it has written, for the message of a failed check."""
        return f"--- {self.name}, standard output\n{read(self.output)}\n--- {self.name}, log\n{read(self.log)}"

    def wait_for(self, pattern: re.Pattern, limit_s: float = START_LIMIT_S) -> re.Match:
        """Waits until it has written this. One that does not is ended."""
        deadline = time.monotonic() + limit_s
        while not (found := pattern.search(read(self.output))):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"{self.name} did not write {pattern.pattern!r}\n{self.said()}")
            time.sleep(0.02)
        return found

    def stop(self) -> None:
        """Asks it to end and fails if it does not, or if it ended as it should not."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{self.name} did not end within {STOP_LIMIT_S} s of SIGTERM\n{self.said()}") from None
        assert code == 0, f"{self.name} ended with code {code}\n{self.said()}"
        assert "panicked at" not in read(self.log), f"{self.name} panicked\n{self.said()}"


def environment(home: Path, settings: dict[str, str]) -> dict[str, str]:
    """Nothing of the caller's environment but where to find programs: a stray setting must not decide a check."""
    home.mkdir(parents=True, exist_ok=True)
    return {"PATH": os.environ["PATH"], "HOME": str(home), "XDG_DATA_HOME": str(home), "TMPDIR": str(home), **settings}


def start(
    name: str,
    arguments: list[str],
    home: Path,
    settings: dict[str, str] | None = None,
    address: re.Pattern = FIRST_LINE,
) -> Program:
    """Starts `clearline ARGUMENTS` and waits for the line that tells its address, the pattern's first group."""
    assert BINARY.exists(), f"{BINARY} is missing: run tests/interop/run.sh, which builds it"
    env = environment(home, settings or {})
    output, log = home / f"{name}.out", home / f"{name}.log"
    with output.open("wb") as out, log.open("wb") as err:
        process = subprocess.Popen(
            [str(BINARY), *arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=env, cwd=home
        )
    program = Program(name, process, output, log)
    program.url = program.wait_for(address)[1]
    return program


def run(arguments: list[str], home: Path, settings: dict[str, str] | None = None) -> str:
    """Runs `clearline ARGUMENTS` to its end and returns its standard output."""
    done = subprocess.run(
        [str(BINARY), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment(home, settings or {}),
        cwd=home,
        timeout=START_LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, f"`clearline {' '.join(arguments)}` failed\n{done.stdout}\n{done.stderr}"
    return done.stdout


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
