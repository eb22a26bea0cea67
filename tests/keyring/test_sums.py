"""The digests of the key files tell damage from what was never given, and accuse nobody after a cut."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
from pathlib import Path

import pytest

from appliance.errors import Damaged, Refused
from appliance.keyring import sums
from appliance.keyring.epochs import open_epochs, open_key_file
from appliance.keyring.sums import NewKeyFile, is_as_written, read_sums, write_summed
from appliance.paths import StatePaths
from appliance.sealing.header import read_header
from appliance.sealing.identities import unwrap
from tests.keyring.conftest import Archive
from tests.torture.judges import flipped


def key_files(paths: StatePaths) -> list[Path]:
    return sorted([*paths.keys.glob("*.age"), *paths.keys.glob("*.pub")])


def rotated(archive: Archive) -> None:
    archive.change(archive.owner(), lambda changes: changes.rotate())


def test_sha256sum_finds_every_key_file_as_it_was_written(archive: Archive) -> None:
    rotated(archive)
    command = ["sha256sum", "--check", "--strict", archive.paths.key_sums.name]
    done = subprocess.run(command, cwd=archive.paths.keys, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {line.split(":")[0] for line in done.stdout.splitlines()} == {p.name for p in key_files(archive.paths)}
    assert len(key_files(archive.paths)) == 10


def test_any_flipped_bit_of_the_part_for_a_person_is_damage_and_not_a_grant_that_was_never_made(
    archive: Archive,
) -> None:
    """Without the digests the file would look as if it had been sealed to others only, and the session have less."""
    path, owner = archive.paths.epoch_identity(1, "images"), archive.identities["Dr Essai"]
    raw = path.read_bytes()
    lines = raw.split(b"\n")
    start = len(lines[0]) + 1
    looks_foreign = 0
    for bit in range(8 * start, 8 * (start + len(lines[1]) + len(lines[2]) + 2)):
        path.write_bytes(flipped(raw, bit))
        try:
            unwrap([owner], read_header(io.BytesIO(path.read_bytes())))
        except Refused:
            looks_foreign += 1
        except Damaged:
            pass
        with pytest.raises(Damaged) as caught:
            open_epochs(archive.paths, owner)
        assert path.name in caught.value.message
    assert looks_foreign > 100


def test_who_was_never_given_a_key_file_is_told_so(archive: Archive) -> None:
    assert open_key_file(archive.paths, 1, "images", archive.identities["Aide"]) is None
    assert open_key_file(archive.paths, 1, "notes", archive.identities["Aide"]) is not None


def test_a_flipped_bit_of_the_digests_themselves_is_noticed_and_locks_nobody_out(archive: Archive) -> None:
    raw = archive.paths.key_sums.read_bytes()
    for bit in range(0, 8 * len(raw), 7):
        archive.paths.key_sums.write_bytes(flipped(raw, bit))
        with pytest.raises(Damaged):
            read_sums(archive.paths)
    assert open_epochs(archive.paths, archive.identities["Dr Essai"])
    assert all(is_as_written(archive.paths, path) for path in key_files(archive.paths))


@pytest.mark.parametrize("left", ["nothing", "damaged"])
def test_an_archive_without_digests_has_them_after_the_next_change(archive: Archive, left: str) -> None:
    archive.paths.key_sums.unlink()
    assert all(is_as_written(archive.paths, path) for path in key_files(archive.paths))
    if left == "damaged":
        archive.paths.key_sums.write_bytes(b"x")
    rotated(archive)
    known = read_sums(archive.paths)
    assert known is not None and known.keys() == {path.name for path in key_files(archive.paths)}
    assert all(is_as_written(archive.paths, path) for path in key_files(archive.paths))


def test_a_cut_between_any_two_writes_accuses_no_file(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = [NewKeyFile(path, path.read_bytes() + b"new") for path in key_files(archive.paths)[:3]]
    for cut in range(len(new) + 2):
        copy = archive.copy(tmp_path / f"copy{cut}")
        done: list[Path] = []

        def write_until_cut(path: Path, content: bytes, like: Path | None = None, *, until: int = cut) -> None:
            if len(done) == until:  # noqa: B023  # called in this turn only
                raise InterruptedError
            done.append(path)  # noqa: B023
            path.write_bytes(content)

        monkeypatch.setattr(sums, "write_key_file", write_until_cut)
        there = [NewKeyFile(copy.paths.keys / file.path.name, file.content) for file in new]
        with pytest.raises(InterruptedError):
            write_summed(copy.paths, there)
        assert all(is_as_written(copy.paths, path) for path in key_files(copy.paths)), cut
        monkeypatch.undo()
        write_summed(copy.paths, there)
        known = read_sums(copy.paths)
        assert known is not None and all(len(digests) == 1 for digests in known.values())
        assert known[there[0].path.name] == {hashlib.sha256(there[0].content).hexdigest()}
        shutil.rmtree(copy.root)
