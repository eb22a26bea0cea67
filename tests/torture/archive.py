"""One archive with every kind of file in it, made by the shipped commands, for the tests that harm it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.ingest.tiny import image, study_uid
from tests.practice import Practice

CONFLICT = image(2, 1, content=9)


def made(root: Path) -> Practice:
    """Return a stopped box with people, two epochs, every kind of decision and two images that wait."""
    box = Practice(root)
    box.init()
    box.start()
    try:
        box.add("Dr Autre", "doctor")
        box.add("Accueil", "assistant")
        box.add("Technique", "technician")
        with box.login() as client:
            box.send(image(1, 1), image(1, 2), image(2, 1), image(3, 1, patient="P3"), image(4, 1), image(5, 1))
            box.settled(client, 6)
            box.send(CONFLICT)
            decide(box, kind="merge", patient={"00100020": "P3"}, attributes={"00100020": _text("LO", "P1")})
            decide(
                box, kind="correction", level="study", uid=study_uid(2), attributes={"00081030": _text("LO", "Genou")}
            )
            command(box, "study", "hold", study_uid(3))
            command(box, "study", "delete", study_uid(4), "--yes")
        command(box, "rotate")
        box.enter("Dr Autre").close()
        box.send(image(6, 1))
        with box.login() as client:
            box.settled(client, 6)
        box.lock()
        box.send(image(7, 1), image(7, 2))
    finally:
        box.stop()
    # The command line's line of the record knows how far the key agent's goes.
    assert box.run("audit", "export", "--state", str(box.state)).returncode == 0
    return box


def command(box: Practice, *words: str) -> None:
    """Run a command that the owner logs in to."""
    done = box.user(*words)
    assert done.returncode == 0, done.stderr.decode()


def decide(box: Practice, **decision: Any) -> None:
    """Take a decision by ``appliance decide``."""
    file = box.root / "decision.json"
    file.write_text(json.dumps(decision), "utf-8")
    command(box, "decide", "--file", str(file))


def _text(vr: str, value: str) -> dict[str, Any]:
    return {"vr": vr, "Value": [value]}
