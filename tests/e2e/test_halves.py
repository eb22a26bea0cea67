"""What lost its other half or vanished: named by its study, made whole, missed until it is back or deleted."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.box import OWNER, Box, running, wait_for
from tests.ingest.tiny import image, study_uid
from tests.samples.modality import send

NOTHING = {"images": 0, "decisions": False}


def deep(box: Box, *options: str) -> tuple[int, list[tuple[str, str | None, bool]]]:
    who = ("--user", OWNER, "--password-file", str(box.password_file))
    done = box.run("check", "--deep", "--json", "--state", str(box.state), *who, *options)
    findings = json.loads(done.stdout)["findings"]
    return done.returncode, [(one["what"], one["study"], one["repaired"]) for one in findings]


def as_owner(box: Box, *command: str) -> tuple[int, str]:
    who = ("--user", OWNER, "--password-file", str(box.password_file))
    done = box.run(*command, "--state", str(box.state), *who)
    return done.returncode, (done.stdout + done.stderr).decode()


def missing(client: httpx.Client) -> dict[str, Any]:
    return dict(client.post("/api/studies/search", json={}).json()["missing"])


def named(box: Box) -> list[str]:
    """Return the UIDs of the studies that are listed."""
    code, told = as_owner(box, "study", "list", "--json")
    assert code == 0, told
    return [study["study"] for study in json.loads(told)["studies"]]


def halves_of(box: Box, study: int) -> list[tuple[Path, Path]]:
    """Return object and note of every image of a study, told apart by when they came: one study after the other."""
    objects = sorted((box.state / "objects").rglob("*.age"), key=lambda path: path.stat().st_mtime_ns)
    per_study = len(objects) // 2
    chosen = objects[:per_study] if study == 1 else objects[per_study:]
    return [(path, box.state / "notes" / path.parent.name / f"{path.stem}.note.age") for path in chosen]


@contextmanager
def two_studies(root: Path) -> Iterator[Box]:
    """Yield a locked box with two studies of two images on its shelves."""
    with running(root) as box:
        with box.login() as client:
            for study in (1, 2):
                send([image(study, 1), image(study, 2)], "127.0.0.1", box.dicom_port)
                box.settled(client, 2 * study)
            wait_for(lambda: not list((box.state / "inbox").glob("*.age")), 10)
        box.lock()
        yield box


def test_a_lost_note_is_named_by_its_study_and_made_anew_from_the_image(tmp_path: Path) -> None:
    with two_studies(tmp_path) as box:
        _, note = halves_of(box, 1)[0]
        note.unlink()
        with box.login() as client:
            wait_for(lambda: missing(client) == {"images": 1, "decisions": False}, 10)
            before = client.get("/dicom-web/instances").json()
            assert deep(box) == (5, [("note-missing", study_uid(1), False)])
            assert deep(box, "--repair") == (0, [("note-missing", study_uid(1), True)])
            wait_for(lambda: box.count(client) == 4 and missing(client) == NOTHING, 10)
            assert len(before) == 3 and note.exists() and deep(box) == (0, [])
            for study in client.get("/dicom-web/studies").json():
                uid = study["0020000D"]["Value"][0]
                answer = client.get(f"/dicom-web/studies/{uid}/metadata")
                assert answer.status_code == 200 and len(answer.json()) == 2


def test_an_image_whose_note_is_gone_is_deleted_with_its_study(tmp_path: Path) -> None:
    with two_studies(tmp_path) as box:
        (first, note), (second, _) = halves_of(box, 1)
        note.unlink()
        with box.login() as client:
            wait_for(lambda: missing(client)["images"] == 1, 10)
            code, told = as_owner(box, "study", "delete", study_uid(1), "--yes")
            assert code == 0 and "2 images" in told, told
            wait_for(lambda: missing(client) == NOTHING, 10)
            assert not first.exists() and not second.exists()
            assert deep(box) == (0, []) and named(box) == [study_uid(2)]


def test_nothing_is_deleted_while_an_image_of_an_unknown_study_lies_without_its_note(tmp_path: Path) -> None:
    with two_studies(tmp_path) as box:
        _, note = halves_of(box, 1)[0]
        note.unlink()
        (box.state / "index.db").unlink()
        with box.login():
            code, told = as_owner(box, "study", "delete", study_uid(1), "--yes")
            assert code == 5 and "nothing was deleted" in told and "--deep --repair" in told, told
            assert deep(box, "--repair") == (0, [("note-missing", study_uid(1), True)])
            wait_for(lambda: deep(box) == (0, []), 10)
            code, told = as_owner(box, "study", "delete", study_uid(1), "--yes")
            assert code == 0 and "2 images" in told, told


def test_what_was_lost_of_a_deleted_study_is_missed_no_more_and_a_backup_does_not_bring_it_back(tmp_path: Path) -> None:
    with two_studies(tmp_path) as box:
        kept = [(path, path.read_bytes()) for path in halves_of(box, 1)[0]]
        for path, _ in kept:
            path.unlink()
        with box.login() as client:
            wait_for(lambda: missing(client)["images"] == 1, 10)
            code, told = as_owner(box, "study", "delete", study_uid(1), "--yes")
            assert code == 0, told
            wait_for(lambda: missing(client) == NOTHING, 10)
            assert deep(box) == (0, [])
        box.lock()
        for path, raw in kept:
            path.write_bytes(raw)
        with box.login() as client:
            wait_for(lambda: not any(path.exists() for path, _ in kept), 10)
            assert named(box) == [study_uid(2)] and missing(client) == NOTHING and deep(box) == (0, [])


def test_a_held_study_of_which_images_were_lost_is_not_deleted(tmp_path: Path) -> None:
    with two_studies(tmp_path) as box:
        with box.login():
            assert as_owner(box, "study", "hold", study_uid(1), "--reason", "inquiry")[0] == 0
        box.lock()
        for path in (half for pair in halves_of(box, 1) for half in pair):
            path.unlink()
        with box.login() as client:
            wait_for(lambda: missing(client)["images"] == 2, 10)
            code, told = as_owner(box, "study", "delete", study_uid(1), "--yes")
            assert code == 4 and "held" in told, told
            assert missing(client)["images"] == 2


def test_a_lost_image_that_the_modality_sends_again_is_missed_no_more(tmp_path: Path) -> None:
    with two_studies(tmp_path) as box:
        for path in halves_of(box, 1)[0]:
            path.unlink()
        with box.login() as client:
            wait_for(lambda: missing(client)["images"] == 1, 10)
            send([image(1, 1), image(1, 2)], "127.0.0.1", box.dicom_port)
            wait_for(lambda: box.count(client) == 4 and missing(client) == NOTHING, 10)
            wait_for(lambda: not list((box.state / "inbox").glob("*.age")), 10)
            assert deep(box) == (0, [])


@pytest.mark.parametrize("half", ["object", "note"])
def test_half_of_what_was_acknowledged_while_locked_is_named_and_never_put_away(tmp_path: Path, half: str) -> None:
    with running(tmp_path) as box:
        send([image(1, 1)], "127.0.0.1", box.dicom_port)
        (gone,) = (
            path for path in (box.state / "inbox").iterdir() if path.name.endswith(".note.age") == (half == "note")
        )
        gone.unlink()
        (left,) = (box.state / "inbox").glob("*.age")
        long_ago = time.time() - 120  # What is younger may be on its way.
        os.utime(left, (long_ago, long_ago))
        with box.login() as client:
            if half == "note":
                assert deep(box) == (5, [("note-missing", study_uid(1), False)])
                assert deep(box, "--repair") == (0, [("note-missing", study_uid(1), True)])
                wait_for(lambda: box.count(client) == 1, 10)
                wait_for(lambda: deep(box) == (0, []), 10)
            else:
                for options in ([], ["--repair"]):
                    assert deep(box, *options) == (5, [("object-missing", study_uid(1), False)])
                assert left.exists()
                send([image(1, 1)], "127.0.0.1", box.dicom_port)
                box.settled(client, 1)
                wait_for(lambda: len(list((box.state / "inbox").glob("*.age"))) == 1, 10)
                assert deep(box, "--repair") == (0, [("object-missing", study_uid(1), True)])
                assert not left.exists() and deep(box) == (0, [])


def test_a_decision_that_was_damaged_and_restored_is_not_missed(tmp_path: Path) -> None:
    with two_studies(tmp_path) as box:
        with box.login():
            assert as_owner(box, "study", "hold", study_uid(1), "--reason", "inquiry")[0] == 0
            wait_for(lambda: deep(box) == (0, []), 10)
        box.lock()
        (decision,) = (box.state / "decisions").iterdir()
        kept = decision.read_bytes()
        decision.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
        with box.login() as client:
            wait_for(lambda: missing(client) == {"images": 0, "decisions": True}, 10)
            assert "decision-damaged" in {what for what, _, _ in deep(box)[1]}
        box.lock()
        decision.write_bytes(kept)
        with box.login() as client:
            wait_for(lambda: missing(client) == NOTHING, 10)
            assert deep(box) == (0, [])
            assert as_owner(box, "study", "delete", study_uid(1), "--yes")[0] == 4
        box.lock()
        decision.unlink()
        with box.login() as client:
            wait_for(lambda: missing(client) == {"images": 0, "decisions": True}, 10)
            assert "decision-missing" in {what for what, _, _ in deep(box)[1]}


def test_the_number_of_a_lost_decision_is_not_given_again_and_nothing_is_deleted_before_it_is_back(
    tmp_path: Path,
) -> None:
    with two_studies(tmp_path) as box:
        with box.login():
            assert as_owner(box, "study", "hold", study_uid(1), "--reason", "inquiry")[0] == 0
            wait_for(lambda: deep(box) == (0, []), 10)
        box.lock()
        (decision,) = (box.state / "decisions").iterdir()
        kept = decision.read_bytes()
        decision.unlink()
        with box.login() as client:
            wait_for(lambda: missing(client) == {"images": 0, "decisions": True}, 10)
            code, told = as_owner(box, "study", "delete", study_uid(1), "--yes")
            assert code == 5 and "nothing was deleted" in told and "--give-up" in told, told
            assert as_owner(box, "study", "hold", study_uid(2), "--reason", "inquiry")[0] == 0
            (fresh,) = (box.state / "decisions").iterdir()
            assert fresh.name == "00000002.note.age"
        box.lock()
        assert "decision-missing" in box.run("check", "--state", str(box.state)).stdout.decode()
        decision.write_bytes(kept)
        with box.login():
            for study in (1, 2):
                code, told = as_owner(box, "study", "delete", study_uid(study), "--yes")
                assert code != 0 and "nothing was deleted" in told, told


def test_another_picture_under_its_uid_does_not_make_up_for_one_that_is_lost(tmp_path: Path) -> None:
    with two_studies(tmp_path) as box:
        for path in halves_of(box, 1)[0]:
            path.unlink()
        with box.login() as client:
            wait_for(lambda: missing(client)["images"] == 1, 10)
            send([image(1, 1, content=9), image(1, 2, content=9)], "127.0.0.1", box.dicom_port)
            wait_for(lambda: box.count(client) == 4, 10)
            assert missing(client)["images"] == 1
            assert ("image-lost", study_uid(1), False) in deep(box)[1]


def test_a_note_of_other_bytes_is_no_copy_and_one_on_a_shelf_is_done_with(tmp_path: Path) -> None:
    with two_studies(tmp_path) as box:
        gone, _ = halves_of(box, 1)[0]
        gone.unlink()
        send([image(2, 1, content=9)], "127.0.0.1", box.dicom_port)
        (other,) = (path for path in (box.state / "inbox").iterdir() if not path.name.endswith(".note.age"))
        other.unlink()
        (note,) = (box.state / "inbox").iterdir()
        ahead = time.time() + 10**8  # Of a clock that was put back since.
        os.utime(note, (ahead, ahead))
        with box.login() as client:
            wait_for(lambda: missing(client)["images"] == 1, 10)
            send([image(1, 1), image(1, 2)], "127.0.0.1", box.dicom_port)
            wait_for(lambda: box.count(client) == 4 and missing(client) == NOTHING, 10)
            of_other = ("object-missing", study_uid(2), False)
            code, found = deep(box, "--repair")
            assert code == 5 and sorted(found) == sorted([of_other, ("object-missing", study_uid(1), True)])
            assert deep(box) == (5, [of_other]) and note.exists()


def test_the_note_of_an_image_that_vanished_while_unlocked_is_kept_though_the_image_is_still_listed(
    tmp_path: Path,
) -> None:
    with two_studies(tmp_path) as box:
        (gone, note), _ = halves_of(box, 1)
        with box.login() as client:
            assert box.count(client) == 4
            gone.unlink()
            found = ("object-missing", study_uid(1), False)
            code, told = deep(box, "--repair")
            assert code == 5 and found in told and note.exists()


def test_a_deep_check_takes_somebody_who_may_see_images(tmp_path: Path) -> None:
    with two_studies(tmp_path) as box:
        secret = tmp_path / "assistant.txt"
        secret.write_text("brise-moulin-treize-fougere-cuivre-rideau-pelican-neige")
        code, told = as_owner(box, "user", "add", "Aide", "--role", "assistant", "--new-password-file", str(secret))
        assert code == 0, told
        (box.state / "inbox" / ".draft-check-0").write_bytes(b"left by a repair that was killed")
        with box.login():
            done = box.run(
                "check", "--deep", "--state", str(box.state), "--user", "Aide", "--password-file", str(secret)
            )  # fmt: skip
            assert done.returncode == 4 and b"damaged" not in done.stdout, done
            assert deep(box, "--repair") == (0, [])
        assert not (box.state / "inbox" / ".draft-check-0").exists()
