"""What the shipped commands tell of flipped bits: each round turns one bit in every file, a group at a time.

A flip must be told - by a finding that names the file, an error of ours, a broken chain - or every answer is as before.
Nothing else may be accused, nothing may fail that should not.
"""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from appliance.paths import RunPaths
from tests.box import APPLIANCE, OWNER, wait_for
from tests.forked import CommandLine, Done
from tests.practice import Practice
from tests.torture.judges import flipped

OTHER = "Dr Autre"
ERRORS = {2, 3, 4, 5, 6}  # the table of exit codes


class Commands:
    """Rounds over three copies of one archive: locked, with a key agent for the notes, with another for the index."""

    def __init__(self, archive: Practice, root: Path, held: contextlib.ExitStack) -> None:
        """``held`` ends what was started; ``noticed`` and ``harmless`` count flips by group."""
        self._line = held.enter_context(CommandLine(archive.environment | {"NEGATO_IDLE_MINUTES": "720"}))
        self._locked, self._opened, self._indexed = (
            _copy(archive, root / name) for name in ("locked", "opened", "indexed")
        )
        self._identities = _identities(archive, root, self._line)
        for box in (self._opened, self._indexed):
            held.enter_context(_key_agent(box))
            assert self._as(OTHER, box, "unlock").returncode == 0
        self._people = self._told(self._locked, "user", "list", "--json")
        self._record = self._told(self._locked, "audit", "list", "--json")
        self._studies = self._listed()
        self._index = {path.name: path.read_bytes() for path in archive.state.glob("index.db*")}
        assert set(self._index) == {"index.db", "index.db-wal", "index.db-shm"}
        self.noticed: Counter[str] = Counter()
        self.harmless: Counter[str] = Counter()

    def round(self, chance: random.Random) -> None:
        """Flip one bit in every file, group by group, and hear what is told."""
        self._names(chance)
        self._contents(chance)
        self._single(chance)
        self._record_of(chance)
        self._logins(chance)
        self._index_of(chance)

    def _names(self, chance: random.Random) -> None:
        """Every object, key file, public key and slot at once, while locked."""
        state = self._locked.state
        objects = _sealed(state, "objects/*/*.age", "inbox/*.age")
        keys = [path for ending in ("*.age", "*.pub", "slots/*.json") for path in state.glob(f"keys/{ending}")]
        with _harmed(chance, *objects, *keys) as harmed:
            assert self._findings(self._locked) == {str(path.relative_to(state)) for path in harmed}
            for path in (path for path in harmed if path.suffix == ".age"):
                self._does_not_open(path)
        self.noticed["objects"] += len(objects)
        self.noticed["keys"] += len(keys)

    def _contents(self, chance: random.Random) -> None:
        """Every note and decision at once: a deep check names each."""
        state = self._opened.state
        files = _sealed(state, "notes/*/*.note.age", "inbox/*.note.age", "decisions/*.note.age")
        with _harmed(chance, *files) as harmed:
            found = self._findings(self._opened, deep=True)
            missed = [path.name for path in harmed if not any(path.name in where for where in found)]
            assert missed == []
            for path in harmed:
                self._does_not_open(path)
        self.noticed["notes and decisions"] += len(files)

    def _single(self, chance: random.Random) -> None:
        """What speaks of the rest, one at a time: the layout, the digests of the keys, the list of people."""
        state = self._locked.state
        for path in (state / "FORMAT", state / "keys" / "SHA256SUMS", state / "system.db"):
            with _harmed(chance, path):
                found = self._findings(self._locked)
                assert found <= {str(path.relative_to(state))}, found
                if path.name == "system.db":
                    done = self._run(self._locked, "user", "list", "--json")
                    assert (done.returncode == 5) == bool(found)
                    assert found or done.stdout == self._people
                (self.noticed if found else self.harmless)[path.name] += 1

    def _record_of(self, chance: random.Random) -> None:
        """One log of the record."""
        path = chance.choice(sorted(self._locked.state.glob("audit/*.log")))
        with _harmed(chance, path):
            done = self._run(self._locked, "audit", "verify", "--json")
            told = json.loads(done.stdout)
            assert (done.returncode == 5) == (not told["whole"]), done.stderr
            if told["whole"] and not any(log["torn"] for log in told["logs"]):
                assert self._told(self._locked, "audit", "list", "--json") == self._record
                self.harmless["audit"] += 1
                return
            assert any(log["process"] == path.stem for log in told["logs"] if log["problems"] or log["torn"])
        self.noticed["audit"] += 1

    def _logins(self, chance: random.Random) -> None:
        """The owner logs in over a harmed key file, public key or own slot: an error, never a session with less."""
        state = self._opened.state
        slot = state / "keys" / "slots" / f"{self._opened.person(OWNER)}.json"
        self._login_over(chance, slot, chance.choice([*sorted(state.glob("keys/[0-9]*.*")), slot]))
        self._login_over(chance, slot, chance.choice(sorted(state.glob("keys/[0-9]*.age"))), "X25519")

    def _login_over(self, chance: random.Random, slot: Path, path: Path, part: str = "") -> None:
        state = self._opened.state
        with _harmed(chance, path, within=part.encode()):
            done = self._as(OWNER, self._opened, "unlock")
            shutil.rmtree(state / "alarm", ignore_errors=True)
        blank = path.suffix == ".pub" and done.returncode == 0  # another blank behind the key
        assert done.returncode == 5 or blank, (path.name, done)
        assert blank or path == slot or path.name in done.stderr.decode(), (path.name, done.stderr)
        (self.harmless if blank else self.noticed)["logins"] += 1

    def _index_of(self, chance: random.Random) -> None:
        """The index, its write-ahead log or the memory beside it, as a killed box left them."""
        state = self._indexed.state
        for name, raw in self._index.items():
            (state / name).write_bytes(raw)
        path = state / chance.choice(sorted(self._index))
        raw = path.read_bytes()
        path.write_bytes(flipped(raw, chance.randrange(len(raw) * 8)))
        done = self._as(OWNER, self._indexed, "study", "list", "--json")
        if done.returncode == 0:
            assert json.loads(done.stdout) == self._studies
            self.harmless[path.name] += 1
        else:
            assert done.returncode == 5 and b"index" in done.stderr, done.stderr
            self.noticed[path.name] += 1
        for left in state.glob("index.db*"):
            left.unlink()

    def _does_not_open(self, path: Path) -> None:
        done = self._line.run("open", "--identity", str(self._identities), stdin=path.read_bytes())
        assert done.returncode in (4, 5) and done.stdout == b"", (path.name, done)

    def _findings(self, box: Practice, *, deep: bool = False) -> set[str]:
        done = self._as(OWNER, box, "check", "--deep", "--json") if deep else self._run(box, "check", "--json")
        assert done.returncode in (0, 5), done.stderr
        return {one["where"] for one in json.loads(done.stdout)["findings"]}

    def _listed(self) -> Any:
        return json.loads(self._told(self._indexed, "study", "list", "--json", by=OWNER))

    def _told(self, box: Practice, *words: str, by: str = "") -> bytes:
        done = self._as(by, box, *words) if by else self._run(box, *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _as(self, person: str, box: Practice, *words: str) -> Done:
        return self._run(box, *words, "--user", person, "--password-file", str(box.secret_of(person)))

    def _run(self, box: Practice, *words: str) -> Done:
        done = self._line.run(*words, "--state", str(box.state))
        assert done.returncode in ERRORS | {0} and b"should not have" not in done.stderr, (words, done)
        assert b"unexpected" not in done.stderr, (words, done)
        return done


def _copy(archive: Practice, root: Path) -> Practice:
    box = Practice(root)
    shutil.copytree(archive.state, box.state, ignore=shutil.ignore_patterns("run"))
    return box


def _identities(archive: Practice, root: Path, line: CommandLine) -> Path:
    """Return a file with every identity of the archive, opened by ``appliance open`` with the paper key."""
    paper, everything = root / "paper.txt", root / "identities.txt"
    paper.write_text(archive.paper().reveal() + "\n")
    lines = [paper.read_text()]
    for path in sorted(archive.state.glob("keys/[0-9]*.age")):
        done = line.run("open", "--identity", str(paper), stdin=path.read_bytes())
        assert done.returncode == 0, done.stderr
        lines += [f"{text}\n" for text in done.stdout.decode().splitlines() if text.startswith("AGE-SECRET-KEY-1")]
    everything.write_text("".join(lines))
    return everything


@contextlib.contextmanager
def _key_agent(box: Practice) -> Iterator[None]:
    """Run the key agent of an archive, alone."""
    environment = box.environment | {"NEGATO_STATE": str(box.state), "NEGATO_IDLE_MINUTES": "720"}
    RunPaths(box.state / "run").root.mkdir(mode=0o700)
    with (box.root / "keyagent.log").open("wb") as log:
        process = subprocess.Popen([*APPLIANCE, "run", "keyagent"], stderr=log, env=environment)
    try:
        wait_for(RunPaths(box.state / "run").keyagent.exists, 60)
        yield
    finally:
        process.terminate()
        process.wait(20)


def _sealed(state: Path, *patterns: str) -> list[Path]:
    """Return files by pattern; ``*.age`` alone means objects, not notes."""
    notes = all(pattern.endswith(".note.age") for pattern in patterns)
    found = (path for pattern in patterns for path in state.glob(pattern))
    return sorted(path for path in found if path.name.endswith(".note.age") == notes)


@contextlib.contextmanager
def _harmed(chance: random.Random, *paths: Path, within: bytes = b"") -> Iterator[list[Path]]:
    """Turn one bit in each file, behind the first ``within`` if that is named, and put all back afterwards."""
    kept = {path: path.read_bytes() for path in paths}
    try:
        for path, raw in kept.items():
            # The part for the first reader, who made the archive, is less than a hundred bytes long.
            first = raw.index(within) if within else 0
            path.write_bytes(flipped(raw, chance.randrange(first * 8, (first + 90 if within else len(raw)) * 8)))
        yield list(kept)
    finally:
        for path, raw in kept.items():
            path.write_bytes(raw)
