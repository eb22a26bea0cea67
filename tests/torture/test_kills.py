"""The receiver is killed while four modalities send: whatever it acknowledged is there, bit for bit.

``NEGATO_TORTURE_ROUNDS`` says how often (25 in ``make test``, 1,000 in ``make torture``); the instants are seeded.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.sealing.header import read_header
from appliance.sealing.identities import Identity, parse_identities, unwrap
from appliance.sealing.reader import open_sealed
from tests.box import Box, running, wait_for
from tests.e2e.objects import tiny
from tests.samples import modality
from tests.samples.part10 import split

ROUNDS = int(os.environ.get("NEGATO_TORTURE_ROUNDS", "25"))
SENDERS = 4
SEED = 20261124
RESTART_SECONDS = 10.0


@pytest.fixture
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    # pytest keeps every record of a log until the test ends, pynetdicom's with the exception and so with the socket of
    # each association that a kill ended. From the 1,024th on no association of this process could be made any more.
    library = logging.getLogger("pynetdicom")
    before = library.level
    library.setLevel(logging.CRITICAL)
    try:
        with running(tmp_path_factory.mktemp("kills")) as started:
            yield started
    finally:
        library.setLevel(before)


class Senders:
    """Modalities that send new images until they are told to stop, and note what was acknowledged."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._over = threading.Event()
        self.acknowledged: dict[str, str] = {}
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(SENDERS)]

    def __enter__(self) -> Senders:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self, sender: int) -> None:
        sent = 0
        while not self._over.is_set():
            batch = [tiny("kill", sender, sent + n, study=sender, pixels=os.urandom(128)) for n in range(20)]
            sent += len(batch)
            # A receiver that was just killed refuses or drops the association; the equipment tries again.
            with contextlib.suppress(OSError, modality.Unanswered, RuntimeError, ValueError):
                modality.send(batch, "127.0.0.1", self._port, progress=self._note)

    def _note(self, answer: modality.Answer) -> None:
        if answer.stored:
            self.acknowledged[answer.sample.sop_instance] = hashlib.sha256(answer.sample.dataset).hexdigest()


def answers(box: Box) -> bool:
    """Return whether the receiver answers a C-ECHO within two seconds.

    An attempt may meet the receiver that dies; then the test's own library rarely misses the end of its connection.
    """
    try:
        return modality.echo("127.0.0.1", box.dicom_port, seconds=2) == 0
    except (OSError, modality.Unanswered):
        return False


def notes_of(box: Box, sealed: Path) -> list[Path]:
    """Return where the note of a sealed object may lie."""
    object_id = sealed.name.removesuffix(".age")
    return [box.state / place / f"{object_id}.note.age" for place in ("inbox", f"notes/{object_id[:2]}")]


def kept(box: Box) -> dict[str, str]:
    """Return the digest of every data set that the paper key opens in inbox and shelves, by SOP instance.

    An object without a note was never acknowledged and is never listed: the kill came between their two names.
    """
    paper = Identity.parse(next(word for word in box.kit.read_text().split() if word.startswith("AGE-SECRET-KEY-1")))
    raw = (box.state / "keys" / "1.images.age").read_bytes()
    identities = parse_identities(open_sealed(raw, unwrap([paper], read_header(io.BytesIO(raw)))).decode())
    found = {}
    for path in (*box.state.glob("inbox/*.age"), *box.state.glob("objects/*/*.age")):
        if path.name.endswith(".note.age") or not any(note.exists() for note in notes_of(box, path)):
            continue
        sealed = path.read_bytes()
        assert hashlib.sha256(sealed).hexdigest() == path.name.removesuffix(".age"), "a half-written object has a name"
        plain = open_sealed(sealed, unwrap(identities, read_header(io.BytesIO(sealed))))
        meta, offset = split(plain)
        found[meta[0x0003].rstrip(b"\0").decode()] = hashlib.sha256(plain[offset:]).hexdigest()
    return found


def test_an_acknowledged_image_survives_kill_minus_nine(box: Box) -> None:
    instants = random.Random(SEED)
    slowest = 0.0
    with Senders(box.dicom_port) as senders:
        for _ in range(ROUNDS):
            time.sleep(instants.uniform(0.05, 0.6))  # The instant itself is what is random here.
            os.kill(box.children()["receiver"], signal.SIGKILL)
            began = time.monotonic()
            wait_for(lambda: answers(box), RESTART_SECONDS)
            slowest = max(slowest, time.monotonic() - began)
    acknowledged = senders.acknowledged
    held = len(list(Path("/proc/self/fd").iterdir()))
    print(f"{ROUNDS} kills, {len(acknowledged)} acknowledged, slowest restart {slowest:.1f} s, {held} descriptors held")
    assert len(acknowledged) >= ROUNDS
    found = kept(box)
    assert {uid: found.get(uid) for uid in acknowledged} == acknowledged
    # Nothing half visible: after a login everything whole is listed, and no draft is left.
    with box.login() as client:
        wait_for(lambda: box.count(client) == len(found), 30 + len(found) / 50)
    assert list(box.state.glob("inbox/.draft-receiver-*")) == []
