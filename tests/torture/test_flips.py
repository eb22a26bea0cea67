"""One flipped bit anywhere on disk is noticed, or it changes no answer.

``NEGATO_TORTURE_FLIPS`` says how many (2,000 in ``make test``, 100,000 in ``make torture``),
``NEGATO_TORTURE_COMMANDS`` how many times the shipped commands look at an archive with a bit flipped in every file (3
and 250), ``NEGATO_TORTURE_BATCHES`` how many boxes are started over archives with flipped bits (1 and 60); all are
seeded.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import random
import shutil
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from appliance.errors import Damaged, EnvironmentProblem
from appliance.paths import StatePaths
from appliance.upkeep.layout import check_layout, write_layout
from tests.box import OWNER, wait_for
from tests.practice import Practice
from tests.torture.archive import made
from tests.torture.commands import Commands
from tests.torture.judges import Judges, flipped
from tests.torture.served import images

FLIPS = int(os.environ.get("NEGATO_TORTURE_FLIPS", "2000"))
ROUNDS = int(os.environ.get("NEGATO_TORTURE_COMMANDS", "3"))
BATCHES = int(os.environ.get("NEGATO_TORTURE_BATCHES", "1"))
SEED = 20261126
# How often each kind is hit, in parts of 100: the archive's truth most of all.
SHARES = {
    "object": 25, "note": 20, "decision": 10, "epoch": 10, "slot": 8,
    "recipient": 5, "people": 6, "index": 6, "audit": 7, "format": 1, "sums": 1, "tunnel": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Practice:
    return made(tmp_path_factory.mktemp("flips"))


def test_every_flipped_bit_is_noticed_or_changes_no_answer(archive: Practice, tmp_path: Path) -> None:
    chance = random.Random(SEED)
    judges = Judges(archive, tmp_path)
    files = judges.files()
    assert set(files) == {*SHARES, "empty"}, sorted(files)
    table = {path: judges.judge(kind, path) for kind in SHARES for path in files[kind]}
    noticed: collections.Counter[str] = collections.Counter()
    harmless: collections.Counter[str] = collections.Counter()
    kinds = chance.choices(list(SHARES), list(SHARES.values()), k=FLIPS)
    for number, kind in enumerate(kinds, 1):
        path = chance.choice(files[kind])
        raw = path.read_bytes()
        bit = chance.randrange(len(raw) * 8)
        where = f"bit {bit} of {path.relative_to(archive.state)}"
        try:
            found = table[path](flipped(raw, bit))
        except Exception as error:
            raise AssertionError(f"{where}: {error!r}") from error
        (noticed if found else harmless)[kind] += 1
        if number % 5000 == 0:
            print(f"\r{number} of {FLIPS} flips", end="", file=sys.stderr, flush=True)
    print(f"\n{FLIPS} flips: noticed {dict(noticed)}, without effect {dict(harmless)}")
    # What is sealed has no bit that does not matter.
    assert {
        kind for kind in harmless if kind in ("object", "note", "decision", "epoch", "slot", "format", "sums")
    } == set()


def test_every_bit_of_the_layout_version_is_noticed(tmp_path: Path) -> None:
    paths = StatePaths(tmp_path)
    write_layout(paths)
    raw = paths.format.read_bytes()
    for bit in range(8 * len(raw)):
        paths.format.write_bytes(flipped(raw, bit))
        with pytest.raises((Damaged, EnvironmentProblem)):
            check_layout(paths)


def copy_of(archive: Practice, root: Path) -> Practice:
    box = Practice(root)
    shutil.copytree(archive.state, box.state)
    shutil.copy(archive.kit, box.kit)
    return box


def flip_one_bit(path: Path, chance: random.Random) -> None:
    raw = path.read_bytes()
    path.write_bytes(flipped(raw, chance.randrange(len(raw) * 8)))


def check(box: Practice, *options: str) -> set[str]:
    """Return where ``appliance check`` finds something."""
    done = box.run("check", "--json", "--state", str(box.state), *options)
    assert done.returncode in (0, 5), done.stderr.decode()
    return {finding["where"] for finding in json.loads(done.stdout)["findings"]}


def test_the_commands_tell_of_every_flipped_bit(archive: Practice, tmp_path: Path) -> None:
    chance = random.Random(SEED)
    with contextlib.ExitStack() as held:
        commands = Commands(archive, tmp_path, held)
        for number in range(1, ROUNDS + 1):
            try:
                commands.round(chance)
            except Exception as error:
                raise AssertionError(f"round {number}: {error!r}") from error
            if number % 10 == 0:
                print(f"\r{number} of {ROUNDS} rounds", end="", file=sys.stderr, flush=True)
    noticed, harmless = commands.noticed, commands.harmless
    count = noticed.total() + harmless.total()
    print(f"\n{ROUNDS} rounds, {count} flips: told {dict(noticed)}, without effect {dict(harmless)}")
    assert noticed.keys() >= {"objects", "keys", "notes and decisions", "FORMAT", "SHA256SUMS", "audit", "logins"}


@pytest.mark.parametrize("batch", range(BATCHES))
def test_a_box_over_flipped_bits_shows_what_is_whole_and_names_what_is_not(
    archive: Practice, tmp_path: Path, batch: int
) -> None:
    """Half of the objects, half of the other notes, a decision, and the index."""
    chance = random.Random(SEED + batch)
    whole = copy_of(archive, tmp_path / "whole")
    whole.start()
    try:
        with whole.login() as client:
            whole.settled(client, 8)
            before = shown(client), images(client)
    finally:
        whole.stop()
    box = copy_of(archive, tmp_path / "box")
    for path in (harmed := chance.sample(sorted(box.state.glob("objects/*/*.age")), 3)):
        flip_one_bit(path, chance)
    others = [
        path for path in sorted(box.state.glob("notes/*/*.age")) if path.name[:64] not in {p.stem for p in harmed}
    ]
    note = chance.choice(others)
    flip_one_bit(note, chance)
    flip_one_bit(chance.choice(sorted(box.state.glob("index.db*"))), chance)
    box.start()
    try:
        with box.login() as client:
            person = ("--user", OWNER, "--password-file", str(box.password_file))
            wait_for(lambda: not list((box.state / "inbox").glob("*.age")), 60)
            found = check(box, "--deep", *person)
            for path in (*harmed, note):
                assert any(path.name[:64] in where for where in found), path.name
            after = images(client)
            for uid, data in before[1].items():
                # A picture is shown as it was, or the answer is an error or a list without it.
                assert after.get(uid, data) == data, uid
            assert len(after) >= len(before[1]) - 4
            now, then = shown(client), before[0]
            assert len(then.keys() - now.keys()) <= 1 and now.keys() <= then.keys()
            assert {uid: then[uid] for uid in now} == now
    finally:
        box.stop()


def shown(client: httpx.Client) -> dict[str, list[Any]]:
    """Return what the list of studies says of each, but for its counts, by StudyInstanceUID."""
    listed = client.get("/dicom-web/studies", params={"includefield": "all", "limit": "1000"}).json()
    tags = ("00100010", "00100020", "00100030", "00080020", "00080050", "00081030")
    return {study["0020000D"]["Value"][0]: [study.get(tag) for tag in tags] for study in listed}
