"""Each write, sync, rename, link, removal and close fails in turn, or a write is cut short: nothing told is lost.

One box lives through all of it. ``NEGATO_TORTURE_FAULTS`` says how many faults (30, a seeded choice, in ``make test``;
0 for every one, in ``make torture``).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.box import OWNER, PASSPHRASE, wait_for
from tests.ingest.tiny import image, study_uid
from tests.practice import Practice
from tests.samples import modality
from tests.samples.part10 import Sample, split
from tests.torture.served import images
from tests.torture.shim import Call, Shim

FAULTS = int(os.environ.get("NEGATO_TORTURE_FAULTS", "30"))
SEED = 20261126
SHORT = 0
HARMS = {
    Call.OPEN: (errno.EIO, errno.ENOSPC),
    Call.WRITE: (errno.EIO, errno.ENOSPC, SHORT),
    Call.SYNC: (errno.EIO, errno.ENOSPC),
    Call.RENAME: (errno.EIO, errno.ENOSPC),
    Call.LINK: (errno.EIO, errno.ENOSPC),
    Call.UNLINK: (errno.EIO,),
    Call.CLOSE: (errno.EIO, errno.ENOSPC),
}


@dataclass(frozen=True)
class Fault:
    """The call of a kind that comes after ``after`` others fails with ``error``; 0 is a short write."""

    call: Call
    after: int
    error: int

    def __str__(self) -> str:
        how = errno.errorcode.get(self.error, "short")
        return f"{self.call.name.lower()} {self.after} {how}"


class Rig:
    """One box behind the shim, logged in, with what it acknowledged."""

    def __init__(self, root: Path) -> None:
        self.box = Practice(root)
        self.box.init()
        self.shim = Shim(self.box)
        self.box.start()
        self.acknowledged: dict[str, str] = {}
        self.sent = 0
        self.client = httpx.Client(base_url=self.box.url, timeout=60)
        self.enter()

    def enter(self) -> None:
        """Log in, again for as long as the pages start afresh."""
        answer = self.box.post_session(self.client, OWNER)
        assert answer.status_code == 200, answer.text

    def next(self) -> Sample:
        """Return a picture that was not sent before."""
        self.sent += 1
        return image(1000 + self.sent // 10, self.sent, content=self.sent % 250)

    def send(self, sample: Sample) -> bool:
        """Send one picture; return whether it was acknowledged."""
        try:
            (answer,) = modality.send([sample], "127.0.0.1", self.box.dicom_port)
        except (OSError, modality.Unanswered, RuntimeError, ValueError):
            return False
        if answer.stored:
            self.acknowledged[sample.sop_instance] = hashlib.sha256(sample.dataset).hexdigest()
        return answer.stored

    def shown(self, sample: Sample) -> bool:
        """Return whether a picture is listed and comes back bit for bit."""
        query = {"SOPInstanceUID": sample.sop_instance}
        try:
            found = self.client.get("/dicom-web/instances", params=query)
        except httpx.TransportError:
            return False
        if found.status_code in (401, 423):
            self.enter()
            return False
        if found.status_code != 200 or not found.json():
            return False
        one = found.json()[0]
        study, series = one["0020000D"]["Value"][0], one["0020000E"]["Value"][0]
        path = f"/dicom-web/studies/{study}/series/{series}/instances/{sample.sop_instance}"
        whole = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
        return sample.dataset in self.client.get(path, headers=whole).content

    def all_is_kept(self) -> None:
        """Fail unless every acknowledged picture is listed and comes back bit for bit."""
        shown = images(self.client)
        for uid, digest in self.acknowledged.items():
            assert uid in shown, f"{uid} is not shown"
            assert hashlib.sha256(shown[uid][split(shown[uid])[1] :]).hexdigest() == digest

    def is_clean(self) -> None:
        """Fail unless check and record find nothing wrong; strays and drafts are harmless."""
        done = self.box.run("check", "--json", "--state", str(self.box.state))
        found = {(one["what"], one["where"]) for one in json.loads(done.stdout)["findings"]}
        assert {what for what, _ in found} <= {"stray", "half"}, found
        verified = self.box.run("audit", "verify", "--state", str(self.box.state))
        assert verified.returncode == 0, verified.stderr.decode()


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    made = Rig(tmp_path_factory.mktemp("rig"))
    try:
        yield made
    finally:
        made.client.close()
        made.box.stop()


def counted(rig: Rig, act: Callable[[], object]) -> dict[Call, int]:
    """Return how many calls of each kind an act makes."""
    before = {call: rig.shim.counted(call) for call in HARMS}
    act()
    return {call: rig.shim.counted(call) - before[call] for call in HARMS}


def chosen(counts: dict[Call, int], share: float) -> list[Fault]:
    """Return every fault of an act, or a seeded choice of them."""
    every = [
        Fault(call, after, error) for call, count in counts.items() for after in range(count) for error in HARMS[call]
    ]
    if not FAULTS:
        return every
    return random.Random(SEED).sample(every, min(len(every), round(FAULTS * share)))


def through(rig: Rig, faults: list[Fault], act: Callable[[Fault], None]) -> int:
    """Carry out ``act`` under each fault; return how many of them came."""
    came = 0
    for number, fault in enumerate(faults, 1):
        rig.shim.fail(fault.call, fault.after, fault.error)
        try:
            act(fault)
        except BaseException as error:
            raise AssertionError(f"{fault}: {error!r}") from error
        finally:
            came += rig.shim.fired()
        if number % 50 == 0:
            print(f"\r{number} of {len(faults)} faults", end="", file=sys.stderr, flush=True)
    return came


def test_a_picture_is_acknowledged_and_kept_or_refused_whatever_call_fails(rig: Rig) -> None:
    """Receiving, settling, looking: the same processes go on, and what was refused is taken at the next try."""

    def day(sample: Sample) -> None:
        while not rig.send(sample):
            pass
        wait_for(lambda: rig.shown(sample), 90)

    def act(fault: Fault) -> None:
        sample = rig.next()
        processes = rig.box.children()
        taken = rig.send(sample)
        if taken:
            wait_for(lambda: rig.shown(sample), 90)
        rig.shim.fired() or rig.shim.fail(fault.call, 1 << 40, 0)
        if not taken:
            assert rig.send(sample), "refused though nothing fails any more"
            wait_for(lambda: rig.shown(sample), 90)
        assert rig.box.children()["receiver"] == processes["receiver"], "the receiver did not live on"

    counts = counted(rig, lambda: day(rig.next()))
    faults = chosen(counts, 0.6)
    came = through(rig, faults, act)
    print(f"\n{counts}: {len(faults)} faults, {came} came")
    rig.all_is_kept()
    rig.is_clean()


@pytest.mark.parametrize("act", ["hold", "delete", "passphrase", "rotate"])
def test_a_command_is_carried_out_or_fails_with_a_reason_whatever_call_fails(rig: Rig, act: str) -> None:
    """What failed is done by the same command again, and nothing is left half."""
    fresh = rig.next()
    assert rig.send(fresh)
    wait_for(lambda: rig.shown(fresh), 90)
    study = 2000 + len(act)
    target = image(study, 1)

    again = rig.box.root / "again.txt"
    again.write_text(PASSPHRASE)

    def command() -> int:
        if act == "passphrase":
            done = rig.box.run(
                "user", "passphrase", OWNER, "--state", str(rig.box.state),
                "--password-file", str(rig.box.password_file), "--new-password-file", str(again),
            )  # fmt: skip
        else:
            words = {
                "hold": ("study", "hold", study_uid(study)),
                "delete": ("study", "delete", study_uid(study), "--yes"),
                "rotate": ("rotate",),
            }
            done = rig.box.user(*words[act])
        if act == "delete" and b"There is no such study" in done.stderr:
            return 0  # It was deleted by the try before, which had told of what failed afterwards.
        assert done.returncode in (0, 3, 4, 5, 6), done.stderr.decode()
        assert b"Traceback" not in done.stderr and (done.returncode == 0 or b"->" in done.stderr), done.stderr.decode()
        return done.returncode

    def prepared() -> None:
        if act == "delete":
            rig.acknowledged.pop(target.sop_instance, None)
        if act in ("hold", "delete") and not rig.shown(target):
            assert rig.send(target)
            wait_for(lambda: rig.shown(target), 90)
        if act == "delete":
            rig.acknowledged.pop(target.sop_instance, None)

    def tried(_fault: Fault) -> None:
        code = command()
        rig.shim.fired()
        if code:
            wait_for(lambda: command() == 0, 60)
        wait_for(lambda: logged_in(rig), 90)
        if act == "delete":
            wait_for(lambda: not rig.shown(target), 90)
        prepared()

    prepared()
    counts = counted(rig, command)
    wait_for(lambda: logged_in(rig), 90)
    prepared()
    faults = chosen(counts, 0.1)
    came = through(rig, faults, tried)
    print(f"\n{act} {counts}: {len(faults)} faults, {came} came")
    rig.all_is_kept()
    rig.is_clean()


def logged_in(rig: Rig) -> bool:
    with contextlib.suppress(httpx.TransportError):
        code = rig.client.get("/api/session").status_code
        if code in (401, 423):
            rig.enter()
        return code == 200
    return False


def test_a_login_fails_with_a_reason_or_opens_whatever_call_fails(rig: Rig) -> None:
    def log_in() -> httpx.Response:
        with rig.box.client() as client:
            return client.post("/api/session", json={"user": OWNER, "password": PASSPHRASE})

    def act(_fault: Fault) -> None:
        answer = log_in()
        assert answer.status_code in (200, 503, 507), answer.text
        assert answer.status_code == 200 or answer.json()["next_step"]
        rig.shim.fired()
        assert log_in().status_code == 200
        wait_for(lambda: logged_in(rig), 90)

    counts = counted(rig, log_in)
    faults = chosen(counts, 0.1)
    came = through(rig, faults, act)
    print(f"\nlogin {counts}: {len(faults)} faults, {came} came")
    rig.all_is_kept()
    rig.is_clean()
