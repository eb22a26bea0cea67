"""People come and go and keys are changed, on a running box, by its command line."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from appliance.audit.entries import entries
from appliance.cli.main import main
from appliance.errors import Refused
from appliance.keyring.client import AgentClient
from appliance.keyring.epochs import open_epochs
from appliance.keyring.public import KINDS, current_epoch, epoch_numbers, is_whole
from appliance.keyring.slots import unlock_slot
from appliance.paths import RunPaths, StatePaths
from appliance.people.store import People
from appliance.sealing.header import read_header
from appliance.sealing.identities import Identity, unwrap
from appliance.upkeep.key_changes import KeyChanges  # noqa: F401  # loaded here, it need not be in each forked child
from appliance.upkeep.recovery_kit import as_text, make_kit
from tests.box import OWNER, PASSPHRASE, Box, wait_for
from tests.e2e.objects import tiny
from tests.practice import Practice
from tests.samples.part10 import Sample, split
from tests.samples.uids import uid

ROUNDS = 25
WHOLE = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}


@pytest.fixture
def practice(tmp_path: Path) -> Iterator[Practice]:
    box = Practice(tmp_path)
    box.init()
    box.start()
    yield box
    box.stop()


def reads(client: httpx.Client, sample: Sample) -> bool:
    """Return whether the image comes back with every byte of its data set."""
    found = client.get("/dicom-web/instances", params={"SOPInstanceUID": sample.sop_instance}).json()
    study = found[0]["0020000D"]["Value"][0]
    answer = client.get(f"/dicom-web/studies/{study}", headers=WHOLE)
    return answer.status_code == 200 and sample.dataset in answer.content


def sealed_objects(box: Practice) -> list[Path]:
    return [
        path
        for path in (*box.state.glob("objects/*/*.age"), *box.state.glob("inbox/*.age"))
        if ".note" not in path.name
    ]


def age(identity: Path, sealed: Path) -> bytes | None:
    """Open a file with the age command; ``None`` when it does not open."""
    done = subprocess.run(["age", "-d", "-i", str(identity), str(sealed)], capture_output=True, timeout=60)
    return done.stdout if done.returncode == 0 else None


def test_who_left_opens_no_new_image_and_the_others_go_on_as_before(practice: Practice) -> None:
    old, new = tiny("before", study="before"), tiny("after", study="after")
    practice.add("Dr Deux", "doctor")
    practice.add("Aide", "assistant", "--images")
    practice.send(old)
    leaver = practice.enter("Dr Deux")
    practice.settled(leaver, 1)
    assert reads(leaver, old)
    token, person = leaver.cookies["negato_session"], practice.person("Dr Deux")
    kept = practice.root / "kept"
    shutil.copytree(practice.paths.keys, kept / "keys")

    done = practice.user("user", "leave", "Dr Deux")
    assert done.returncode == 0, done.stderr.decode()
    said = done.stdout.decode()
    assert "stored before this moment (epochs 1 to 1)" in said
    assert "recovery sheet" in said and "old backup" in said
    receiver = practice.children()["receiver"]
    practice.send(new)

    # The session and the login are gone.
    with practice.client() as client:
        assert practice.post_session(client, "Dr Deux").status_code == 401
    assert leaver.get("/api/session").status_code in (401, 423)
    agent = AgentClient(RunPaths(practice.state / "run").keyagent)
    with pytest.raises(Refused):
        agent.lease(token)
    with pytest.raises(Refused):
        agent.login(person, f"{PASSPHRASE}-Dr Deux")

    # The others log in with what they know and read old and new.
    for name in (OWNER, "Aide"):
        client = practice.enter(name)
        practice.settled(client, 2)
        assert reads(client, old) and reads(client, new)
    assert practice.children()["receiver"] == receiver

    # Old copies open the old image, as the command said, and not the new one; nor does the old slot put back.
    was = StatePaths(kept)
    identity = unlock_slot(was, person, f"{PASSPHRASE}-Dr Deux".encode())
    images = open_epochs(was, identity)[0].images
    assert images is not None
    (practice.root / "old.txt").write_text(images.reveal())
    opened = [age(practice.root / "old.txt", path) for path in sealed_objects(practice)]
    assert sorted(raw is None for raw in opened) == [False, True]
    assert old.dataset in next(raw for raw in opened if raw is not None)
    assert [epoch for epoch in open_epochs(practice.paths, identity) if epoch.notes or epoch.images] == []
    with pytest.raises(Refused):
        open_notes = [epoch.notes for epoch in open_epochs(was, identity) if epoch.notes]
        unwrap(open_notes, read_header(io.BytesIO(practice.paths.index_key.read_bytes())))
    events = [entry.fields["event"] for entry in entries(practice.paths, "cli")]
    assert events[-2:] == ["cli:leave:begin", "cli:leave:end"]
    shutil.copy(was.slot(person), practice.paths.slot(person))
    with pytest.raises(Refused):
        agent.login(person, f"{PASSPHRASE}-Dr Deux")


def test_rotated_twice_every_image_is_read_by_people_and_by_the_paper_key(practice: Practice) -> None:
    samples = [tiny("epoch", number, study=number) for number in range(3)]
    receiver = practice.children()["receiver"]
    digests: dict[Path, str] = {}
    for number, sample in enumerate(samples):
        practice.send(sample)
        client = practice.enter(OWNER)
        practice.settled(client, number + 1)
        digests |= {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in sealed_objects(practice)}
        if number < 2:
            done = practice.user("rotate")
            assert done.returncode == 0, done.stderr.decode()
            assert f"epoch {number + 2}:" in done.stdout.decode()
            assert f"/{3}] epoch {number + 2}" in done.stderr.decode()
    assert practice.children()["receiver"] == receiver, "the receiver takes up an epoch without a restart"
    client = practice.enter(OWNER)
    assert all(reads(client, sample) for sample in samples)
    # No object was rewritten, and each was sealed to the epoch of its day.
    assert {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in sealed_objects(practice)} == digests
    assert epoch_numbers(practice.paths) == [1, 2, 3]
    paper = practice.root / "paper.txt"
    paper.write_text(practice.paper().reveal())
    opened = {}
    for number in (1, 2, 3):
        identity = practice.root / f"id{number}.txt"
        raw = age(paper, practice.paths.epoch_identity(number, "images"))
        assert raw is not None
        identity.write_bytes(raw)
        for path in sealed_objects(practice):
            plain = age(identity, path)
            if plain is not None:
                opened[path] = (number, plain)
        assert age(paper, practice.paths.epoch_identity(number, "notes")) is not None
    assert sorted(number for number, _ in opened.values()) == [1, 2, 3]
    for number, plain in opened.values():
        assert samples[number - 1].dataset in plain


def test_a_new_recovery_sheet_replaces_the_old_one(practice: Practice) -> None:
    old, new, was = tiny("before", study=1), tiny("after", study=2), StatePaths(practice.root / "was")
    practice.send(old)
    practice.settled(practice.enter(OWNER), 1)
    shutil.copytree(practice.paths.keys, was.keys)
    old_paper, pdf, sheet = practice.paper(), practice.root / "new.pdf", practice.root / "new.txt"
    for taken in (practice.kit, practice.root / "no" / "sheet.txt"):
        assert practice.user("rotate", "--new-paper", str(taken)).returncode == 6
    assert practice.user("rotate", "--new-paper", str(practice.root / "sheet.doc")).returncode == 2
    assert epoch_numbers(practice.paths) == [1] and practice.paper() == old_paper
    done = practice.user("rotate", "--new-paper", str(sheet))
    assert done.returncode == 0, done.stderr.decode()
    assert "epochs 1 to 1" in done.stdout.decode() and "AGE-" not in done.stdout.decode() + done.stderr.decode()
    assert sheet.stat().st_mode & 0o077 == 0
    practice.send(new)
    client = practice.enter(OWNER)
    practice.settled(client, 2)
    assert reads(client, old) and reads(client, new)
    # The stock program, with what is printed and what lies there: the new sheet opens all of it, the old one nothing.
    found = Identity.parse(re.search(r"AGE-SECRET-KEY-1[A-Z0-9]+", sheet.read_text())[0])  # type: ignore[index]
    assert plain_by(practice, found, practice.paths) == {old.dataset, new.dataset}
    assert plain_by(practice, old_paper, practice.paths) == set()
    # What the command says of older sheets: with old copies of the key files they open what was stored before.
    assert "stored before" in done.stdout.decode()
    assert plain_by(practice, old_paper, was) == {old.dataset}
    events = [entry.fields["event"] for entry in entries(practice.paths, "cli")]
    assert events[-2:] == ["cli:paper:begin", "cli:paper:end"]
    assert practice.user("rotate", "--new-paper", str(pdf)).returncode == 0
    assert pdf.read_bytes().startswith(b"%PDF")


def plain_by(practice: Practice, paper: Identity, keys: StatePaths) -> set[bytes]:
    """Return the data sets that a sheet opens by the documented two commands, with these key files."""
    file, identity, found = practice.root / "paper.txt", practice.root / "id.txt", set()
    file.write_text(paper.reveal())
    for number in epoch_numbers(keys):
        opened = age(file, keys.epoch_identity(number, "images"))
        if opened is None:
            continue
        identity.write_bytes(opened)
        plain = [age(identity, path) for path in sealed_objects(practice)]
        found |= {raw[split(raw)[1] :] for raw in plain if raw is not None}
    return found


def test_a_technician_unwraps_nothing_and_an_assistant_no_image(practice: Practice) -> None:
    sample = tiny("image")
    practice.add("Technique", "technician")
    practice.add("Aide", "assistant")
    practice.send(sample)
    with practice.client() as client:
        for password in (PASSPHRASE, ""):
            assert client.post("/api/session", json={"user": "Technique", "password": password}).status_code == 401
    assert not practice.paths.slot(practice.person("Technique")).exists()
    assistant = practice.enter("Aide")
    practice.settled(assistant, 1)
    study = assistant.get("/dicom-web/studies").json()[0]["0020000D"]["Value"][0]
    answer = assistant.get(f"/dicom-web/studies/{study}", headers=WHOLE)
    assert answer.status_code == 403, answer.text
    assert sample.dataset not in answer.content
    # Granted by the owner, the same person with the same passphrase sees it.
    done = practice.user("user", "role", "Aide", "assistant", "--images")
    assert done.returncode == 0, done.stderr.decode()
    assert reads(practice.enter("Aide"), sample)


def ended(client: httpx.Client) -> bool:
    try:
        return client.get("/api/session").status_code in (401, 423)
    except httpx.TransportError:
        return False


def test_who_may_decide_is_sealed_with_the_keys_and_not_what_the_list_of_people_says(practice: Practice) -> None:
    """Whoever can write to system.db, as the pages can, makes nobody an owner by it."""
    sample = tiny("decided")
    practice.add("Dr Deux", "doctor")
    practice.add("Aide", "assistant")
    practice.send(sample)
    practice.settled(practice.enter(OWNER), 1)
    study, other = (uid("e2e study", name) for name in ("study", 2))
    assert practice.user("study", "hold", study, by="Aide").returncode == 4
    assert practice.user("study", "hold", study, by="Dr Deux").returncode == 0
    assert practice.user("study", "release", study, by="Dr Deux").returncode == 0
    people = People(practice.paths.system_db)
    people.change_role(practice.person("Dr Deux"), "owner", False)
    people.close()
    assert practice.user("study", "delete", study, "--yes", by="Dr Deux").returncode == 4
    assert practice.count(practice.enter(OWNER)) == 1
    lines = [entry.fields for entry in entries(practice.paths, "keyagent")]
    refused = [line for line in lines if line["event"] == "keyagent:lease:refused" and line["reason"] == "role"]
    assert [(line["person"], line["kind"]) for line in refused] == [
        (practice.person("Aide"), "hold"),
        (practice.person("Dr Deux"), "tombstone"),
    ]
    taken = {line["decision"] for line in lines if line["event"].startswith("keyagent:decision:")}
    sealed = {hashlib.sha256(path.read_bytes()).hexdigest() for path in practice.paths.decisions.iterdir()}
    assert taken == sealed, "each decision has its line, which names the sealed file"
    # Made an owner by the owner, she may, from her next login on; and no longer once she is a doctor again.
    people = People(practice.paths.system_db)
    people.change_role(practice.person("Dr Deux"), "doctor", False)
    people.close()
    owner = practice.enter("Dr Deux")
    assert practice.user("user", "role", "Dr Deux", "owner").returncode == 0
    wait_for(lambda: ended(owner), 20)  # A session that began in another role ends.
    practice.enter("Dr Deux")
    assert practice.user("study", "hold", study, by="Dr Deux").returncode == 0
    assert practice.user("study", "release", study, by="Dr Deux").returncode == 0
    assert practice.user("study", "delete", study, "--yes", by="Dr Deux").returncode == 0
    assert practice.user("user", "role", "Dr Deux", "doctor").returncode == 0
    second = tiny("second", study=2)
    practice.send(second)
    practice.settled(practice.enter(OWNER), 1)
    assert practice.user("study", "delete", other, "--yes", by="Dr Deux").returncode == 4


def test_wrong_changes_of_people_are_refused_and_change_nothing(practice: Practice) -> None:
    practice.add("Dr Deux", "doctor")
    practice.add("Technique", "technician")
    new = ("--generate", "fr")
    refused = [
        practice.user("user", "add", "Intrus", "--role", "owner", *new, by="Dr Deux"),
        practice.user("rotate", by="Dr Deux"),
        practice.user("user", "leave", OWNER),
        practice.user("user", "role", OWNER, "doctor"),
        practice.user("user", "role", "Dr Deux", "technician"),
        practice.user("user", "add", "T2", "--role", "technician", "--images"),
        practice.user("user", "remove", "Dr Deux"),
    ]
    assert [done.returncode for done in refused] == [4] * len(refused), [done.stderr for done in refused]
    assert [
        practice.user("user", "leave", "Nobody").returncode,
        practice.user("user", "add", "dr DEUX", "--role", "doctor", *new).returncode,
    ] == [2, 2]
    weak = practice.root / "weak"
    weak.write_text("azerty123")
    done = practice.user("user", "add", "Faible", "--role", "doctor", "--new-password-file", str(weak))
    assert done.returncode == 2
    listed = json.loads(practice.run("user", "list", "--json", "--state", str(practice.state)).stdout)
    assert [(row["name"], row["role"]) for row in listed] == [
        (OWNER, "owner"),
        ("Dr Deux", "doctor"),
        ("Technique", "technician"),
    ]
    assert epoch_numbers(practice.paths) == [1]
    assert practice.user("user", "remove", "Technique").returncode == 0


def test_a_passphrase_is_changed_by_its_owner_alone_and_the_list_shows_no_secret(practice: Practice) -> None:
    practice.add("Dr Deux", "doctor")
    state = ("--state", str(practice.state))
    old = ("--password-file", str(practice.secret_of("Dr Deux")))
    wrong = practice.run(
        "user", "passphrase", "Dr Deux", *state, "--password-file", str(practice.secret_of(OWNER)), "--generate", "fr"
    )
    assert wrong.returncode == 4
    done = practice.run("user", "passphrase", "Dr Deux", *state, *old, "--generate", "fr")
    assert done.returncode == 0, done.stderr.decode()
    new = re.search(r"Passphrase of Dr Deux: (\S+)", done.stdout.decode())
    assert new
    with practice.client() as client:
        for password, status in ((f"{PASSPHRASE}-Dr Deux", 401), (new[1], 200)):
            assert client.post("/api/session", json={"user": "Dr Deux", "password": password}).status_code == status
    listed = practice.run("user", "list", *state).stdout.decode()
    assert "Dr Deux" in listed and "reads notes, images" in listed and "AGE-" not in listed and "age1" not in listed


def test_killed_at_random_instants_leaving_and_rotating_are_completed_by_a_second_run(tmp_path: Path) -> None:
    made = Practice(tmp_path)
    made.init()
    made.add("Dr Deux", "doctor")
    assert made.user("rotate").returncode == 0
    leaver = made.person("Dr Deux")
    people = {name: unlock_slot(made.paths, made.person(name), made.secret(name)) for name in (OWNER, "Dr Deux")}
    seed = 20261124
    print(f"seed {seed}")
    instants, cuts = random.Random(seed), 0
    for number in range(ROUNDS):
        box, command, leaves = made.twin(number), ["rotate"], bool(number % 2)
        staying = [people[OWNER], made.paper()]
        if leaves:
            command = ["user", "leave", "Dr Deux"]
        else:
            staying.append(people["Dr Deux"])
        cut = _killed(box, command, instants.uniform(0, 0.03))
        cuts += cut
        _check_valid(box, staying)
        code = os.waitstatus_to_exitcode(os.waitpid(_forked(box, command), 0)[1])
        # A leaver who was gone already when the kill came is not known any more.
        assert code == (0 if cut or not leaves else 2)
        _check_valid(box, staying)
        assert not box.paths.key_journal.exists()
        assert epoch_numbers(box.paths)[:3] == [1, 2, 3]
        if leaves:
            assert not [e for e in open_epochs(box.paths, people["Dr Deux"]) if e.notes or e.images]
            assert not box.paths.slot(leaver).exists()
        assert {entry.fault for entry in entries(box.paths, "cli")} <= {"", "torn"}
    assert cuts >= ROUNDS // 3, "too few kills hit a change under way"


def _check_valid(box: Practice, staying: list[Identity]) -> None:
    """Fail unless every epoch is whole, the newest is taken, and each of ``staying`` opens all, the index too."""
    found = epoch_numbers(box.paths)
    assert all(is_whole(box.paths, number) for number in found)
    assert current_epoch(box.paths).number == found[-1]
    for identity in staying:
        opened = open_epochs(box.paths, identity)
        assert [epoch.number for epoch in opened] == found[::-1]
        assert all(epoch.of(kind) for epoch in opened for kind in KINDS)
        notes = [epoch.notes for epoch in opened if epoch.notes]
        unwrap(notes, read_header(io.BytesIO(box.paths.index_key.read_bytes())))


def _killed(box: Practice, command: list[str], after: float) -> bool:
    """Kill a command ``after`` seconds from when its change began; return whether that cut it short."""
    child = _forked(box, command)
    while not box.paths.key_journal.exists() and not _ended(child):
        pass
    deadline = time.monotonic() + after
    while time.monotonic() < deadline and not _ended(child):
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return box.paths.key_journal.exists()


def _forked(box: Practice, command: list[str]) -> int:
    """Begin a command of an owner's in a child of this process, which spares a second of imports; return its pid."""
    login = ["--state", str(box.state), "--user", OWNER, "--password-file", str(box.secret_of(OWNER))]
    child = os.fork()
    if child == 0:
        try:
            nothing = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(nothing, stream)
            sys.argv = ["appliance", *command, *login]
            main()
        except SystemExit as end:
            os._exit(int(end.code or 0))
        finally:
            os._exit(1)
    return child


def _ended(child: int) -> bool:
    """Return whether a child has ended, and leave it to be waited for."""
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def test_no_archive_is_made_when_the_recovery_sheet_cannot_be_written(tmp_path: Path) -> None:
    box = Box(tmp_path)
    (tmp_path / "taken.pdf").write_text("already there")
    for out, code in ((tmp_path / "no" / "kit.pdf", 6), (tmp_path / "taken.pdf", 6), (tmp_path / "kit.doc", 2)):
        done = box.run(
            "init", "--state", str(box.state), "--owner", OWNER, "--login-seconds", "0",
            "--password-file", str(box.password_file), "--recovery-out", str(out),
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        assert not box.state.exists()
    assert (tmp_path / "taken.pdf").read_text() == "already there"


def test_a_refused_set_up_leaves_no_sheet(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.password_file.write_text("weak")
    done = box.run(
        "init", "--state", str(box.state), "--owner", OWNER, "--login-seconds", "0",
        "--password-file", str(box.password_file), "--recovery-out", str(box.kit),
    )  # fmt: skip
    assert done.returncode == 2
    assert not box.kit.exists()


def test_the_printed_sheet_holds_the_paper_key_as_text_words_and_qr(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.kit = tmp_path / "kit.pdf"
    done = box.run(
        "init", "--state", str(box.state), "--owner", OWNER, "--login-seconds", "0",
        "--password-file", str(box.password_file), "--recovery-out", str(box.kit),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    assert "Argon2id" in done.stdout.decode()
    raw = box.kit.read_bytes()
    assert box.kit.stat().st_mode & 0o077 == 0
    streams = [zlib.decompress(m) for m in re.findall(rb"stream\n(.*?)\nendstream", raw, re.DOTALL) if m[:1] == b"\x78"]
    (page,) = [stream for stream in streams if b" Tj" in stream]
    texts = [re.sub(rb"\\(.)", rb"\1", t).decode("cp1252") for t in re.findall(rb"\(((?:\\.|[^\\)])*)\) Tj", page)]
    (secret,) = [text for text in texts if text.startswith("AGE-SECRET-KEY-1")]
    paper = Identity.parse(secret)
    assert all(epoch.notes and epoch.images for epoch in open_epochs(StatePaths(box.state), paper))
    kit = make_kit(paper, datetime(2026, 11, 24, tzinfo=UTC))
    printed = {re.sub(r"^ ?\d+ ", "", text) for text in texts}
    assert {*kit.french, *kit.english} <= printed
    assert "age -d -i paper.txt < keys/1.images.age > id.txt" in " ".join(texts)
    assert _painted(page, len(kit.qr)) == kit.qr
    assert secret in as_text(kit).decode()


@pytest.mark.parametrize("language", ["French", "English"])
def test_the_words_of_a_sheet_copied_as_printed_open_an_image_in_place_of_the_key(
    practice: Practice, language: str
) -> None:
    sample = tiny("by words")
    practice.send(sample)
    practice.settled(practice.enter(OWNER), 1)
    lines = practice.kit.read_text("utf-8").splitlines()
    begin = next(number for number, line in enumerate(lines) if line.endswith(f"in {language} words"))
    words, identity = practice.root / "paper.txt", practice.root / "id.txt"
    words.write_text("\n".join(lines[begin + 2 : begin + 6]), "utf-8")
    opened = practice.run(
        "open", "--identity", str(words), stdin=practice.paths.epoch_identity(1, "images").read_bytes()
    )
    assert opened.returncode == 0, opened.stderr.decode()
    identity.write_bytes(opened.stdout)
    (sealed,) = sealed_objects(practice)
    plain = practice.run("open", "--identity", str(identity), stdin=sealed.read_bytes())
    assert sample.dataset in plain.stdout
    words.write_text("\n".join(lines[begin + 2 : begin + 5]), "utf-8")
    short = practice.run("open", "--identity", str(words), stdin=sealed.read_bytes())
    assert short.returncode == 2 and b"24 recovery words" in short.stderr


def _painted(page: bytes, size: int) -> tuple[tuple[bool, ...], ...]:
    """Return the modules of the QR code as the page paints them: filled rectangles, corner, width, height."""
    rectangles = [tuple(map(float, m.split())) for m in re.findall(rb"([\d. -]+) re f", page)]
    side = min(abs(height) for _, _, _, height in rectangles)
    # The finder patterns' corner modules are dark, inside a quiet zone of 4.
    left, top = min(x for x, _, _, _ in rectangles), max(y for _, y, _, _ in rectangles)
    dark = {
        (round((top - y) / side) + 4, round((x - left) / side) + 4 + step)
        for x, y, width, _ in rectangles
        for step in range(round(width / side))
    }
    return tuple(tuple((row, column) in dark for column in range(size)) for row in range(size))
