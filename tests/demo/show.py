"""What the demonstration says on the terminal."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

from tests.demo.box import Box
from tests.samples.modality import Answer


def welcome(box: Box) -> str:
    """Return where to look and how to log in."""
    return f"""
  The light box is on:  {box.url}/

     user       {box.owner}
     password   {box.passphrase}
"""


def next_steps(box: Box, extra: Path, login: Path) -> str:
    """Return the one-line commands to try: a further image by storescu, the list by curl."""
    port = box.dicom.rpartition(":")[2]
    jar = login.with_name("cookies")
    sender = f"storescu -aec NEGATOSCOPE 127.0.0.1 {port} {extra}"
    if shutil.which("storescu") is None:
        sender += "        (storescu is in Debian's package dcmtk)"
    ask = f"curl -s -b {jar} '{box.url}/dicom-web/studies?limit=3'"
    return f"""
  Try next, with the page open:
     send one more image     {sender}
     log in with curl        curl -s -c {jar} -H 'Content-Type: application/json' -d @{login} {box.url}/api/session
     ask for studies         {ask}
     look at what is kept    find {box.state} -name '*.age' | head -3 | xargs -n1 head -c 200

  Everything is sealed in {box.state}.
  Ctrl-C ends the demo.
"""


class Meter:
    """A line that counts what arrives, redrawn in place on a terminal."""

    def __init__(self, total: int) -> None:
        self.total, self.stored, self.size = total, 0, 0
        self.refused: list[Answer] = []
        self._begun = self._drawn = time.monotonic()
        self._live = sys.stdout.isatty()

    def __call__(self, answer: Answer) -> None:
        """Count one answer."""
        if answer.stored:
            self.stored, self.size = self.stored + 1, self.size + len(answer.sample.data)
        else:
            self.refused.append(answer)
        now = time.monotonic()
        if now - self._drawn > (0.1 if self._live else 5):
            self._drawn = now
            self._draw()

    def done(self) -> None:
        """Draw the last state, and name what was refused."""
        self._draw()
        if self._live:
            print()
        for answer in self.refused:
            status = "no context accepted" if answer.status is None else f"status 0x{answer.status:04X}"
            print(f"     refused: {answer.sample.name} ({status})")

    def _draw(self) -> None:
        seconds = max(time.monotonic() - self._begun, 0.01)
        done = self.stored + len(self.refused)
        bar = "█" * (24 * done // self.total) if self.total else ""
        text = (
            f"  sending  {bar:<24} {done}/{self.total} images  {self.size / 1e6:.0f} MB  {self.stored / seconds:.0f}/s"
        )
        print(f"\r{text}" if self._live else text, end="" if self._live else "\n", flush=True)
