"""Killed between any two steps, settling and deleting end in the same state after the next run."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.clock import stamp
from appliance.dicom import decision as decisions
from appliance.dicom.decision import Decision
from appliance.index.store import Index
from appliance.paths import StatePaths
from appliance.sealing.writer import seal
from tests.ingest.house import EPOCH, KEY, START, answers, files, receive, settle
from tests.ingest.tiny import image, study_uid

STEPS = {
    Path: ("rename", "unlink", "hardlink_to"),
    os: ("fsync",),
    Index: ("add", "replace", "remove", "lose", "found", "mark_applied", "start_over", "forget_missed"),
}
KILLED = 9


def decide(archive: Any, decision: Decision) -> None:
    """Make a decision durable and nothing more, as a process does that is killed right after it."""
    archive.decide(seal(decisions.to_bytes(decision), [EPOCH.notes]))


@pytest.fixture(scope="module")
def memory() -> Iterator[Path]:
    """A folder where a sync costs nothing: what is killed here is a process, not the machine."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if os.access(shared, os.W_OK) else None) as root:
        yield Path(root)


@pytest.fixture(scope="module")
def prepared(memory: Path) -> Path:
    """A state in which the next run has all kinds of work: arrivals, decisions to follow, a restored tombstone."""
    root = memory / "prepared"
    archive = files(root)
    index = Index.open(StatePaths(root).index_db, KEY)
    for number in (1, 2):
        receive(archive, image(1, number))
    to_delete = [receive(archive, image(2, number), 1) for number in (1, 2, 3)]
    receive(archive, image(3, 1, patient="P2", name="MARTIN^Zoe"), 2)
    settle(archive, index)
    index.close()
    back = receive(archive, image(5, 1), 3)
    decide(archive, Decision("tombstone", stamp(START), "0", objects=(*to_delete, back), uid=study_uid(2)))
    identity = {"00100020": {"vr": "LO", "Value": ["P2"]}}
    decide(archive, Decision("merge", stamp(START), "0", patient={"00100020": "P1"}, attributes=identity))
    receive(archive, image(1, 3), 4)  # new, of the merged patient
    receive(archive, image(1, 1), 5)  # an identical copy
    receive(archive, image(1, 2, content=7), 6)  # another image under a UID that is taken
    receive(archive, image(4, 1), 7)
    return root


def run(root: Path) -> None:
    index = Index.open(StatePaths(root).index_db, KEY)
    settle(files(root), index)
    index.close()


def state(root: Path) -> dict[str, Any]:
    """Return all that outlives a run: the files, what was decided, what the index answers."""
    archive = files(root)
    index = Index.open(StatePaths(root).index_db, KEY)
    found: dict[str, Any] = {"answers": answers(index), "applied": index.applied() is not None}
    book = settle(archive, index).book
    found["decided"] = [(d.kind, d.objects, d.uid) for d in book.taken if d is not None]
    found["followed"] = index.applied() == book.applied()
    index.close()
    found["inbox"] = archive.inbox()  # A lone object that a killed discard left behind is a stray, not an image.
    for room in ("objects", "notes"):
        found[room] = sorted(path.name for path in (root / room).rglob("*.age"))
    return found


def killed_at(root: Path, step: int) -> bool:
    """Run in a child that dies at ``step``; return whether it died before it was done."""
    child = os.fork()
    if child == 0:
        taken = 0

        def dying(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*arguments: Any, **named: Any) -> Any:
                nonlocal taken
                for act in (lambda: None, lambda: real(*arguments, **named)):
                    answer = act()
                    taken += 1
                    if taken > step:
                        os._exit(KILLED)
                return answer

            return call

        try:
            for place, names in STEPS.items():
                for name in names:
                    setattr(place, name, dying(getattr(place, name)))
            run(root)
            os._exit(0)
        except BaseException:
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, KILLED), f"step {step} failed"
    return code == KILLED


def test_a_run_that_is_killed_at_any_step_is_ended_by_the_next(prepared: Path, memory: Path) -> None:
    whole = memory / "whole"
    shutil.copytree(prepared, whole)
    run(whole)
    wanted = state(whole)
    assert wanted["answers"]["counts"] == (3, 3, 5) and wanted["followed"] and wanted["inbox"] == []
    before = shown(prepared)
    after = shown(whole)
    step = 0
    while True:
        root = memory / str(step)
        shutil.copytree(prepared, root)
        died = killed_at(root, step)
        # Nobody looked after it yet: no study is half there, and no row is without its object.
        now = shown(root)
        assert now[study_uid(2)] in (before[study_uid(2)], after[study_uid(2)]), f"step {step}"
        assert rows_have_objects(root), f"step {step}"
        run(root)
        assert state(root) == wanted, f"step {step}"
        shutil.rmtree(root)
        if not died:
            break
        step += 1
    assert step > 60


def shown(root: Path) -> dict[str, int]:
    index = Index.open(StatePaths(root).index_db, KEY)
    found = {row.uid: row.instance_count for row in index.studies()[1]}
    index.close()
    return {study_uid(number): found.get(study_uid(number), 0) for number in range(1, 6)}


def rows_have_objects(root: Path) -> bool:
    index = Index.open(StatePaths(root).index_db, KEY)
    rows = index.objects()
    index.close()
    archive = files(root)
    return rows <= {*archive.shelved(), *archive.inbox()}
