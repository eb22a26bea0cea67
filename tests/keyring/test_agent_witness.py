"""Whose record was cut is told at the next login, the witness's own too, and nobody is accused for nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance import clock
from appliance.audit.entries import entries
from appliance.audit.line import line_hash, render
from appliance.audit.log import AuditLog
from tests.box import PASSPHRASE, wait_for
from tests.keyring.agentbox import AgentBox


def login(agent: AgentBox) -> bool:
    """Log the owner in; return whether the record was said to be cut."""
    return agent.client().login(agent.person, PASSPHRASE)[1].rolled_back


def session(agent: AgentBox) -> bool:
    """Log in, read and lock, in an agent of its own; return whether the record was said to be cut."""
    client = agent.start()
    token, opened = client.login(agent.person, PASSPHRASE)
    client.unwrap(token, "view", "study", [agent.header()[0]])
    client.lock()
    assert agent.process is not None
    agent.process.wait(20)
    return opened.rolled_back


def cut(path: Path, lines: int) -> None:
    """Take the last lines off a log."""
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-lines]))


def told(agent: AgentBox) -> list[list[str]]:
    """Return whose logs were said to be cut, alarm by alarm."""
    return [line["logs"] for line in agent.lines("keyagent:audit:cut")]


@pytest.fixture
def used(agent: AgentBox) -> Iterator[AgentBox]:
    """An archive after three sessions, of which none was accused."""
    assert [session(agent) for _ in range(3)] == [False] * 3
    assert agent.verify()[0] == 0
    yield agent


def fill_with_nonsense(path: Path) -> None:
    path.write_bytes(b"nonsense\n" * 100)


def look_every_second(agent: AgentBox) -> None:
    """Let the witness of an agent that is started now look at its log every second instead of every minute."""
    folder = agent.paths.root.parent / "sooner"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text("from appliance.keyring import record\nrecord.SEEN_SECONDS = 1.0\n")
    agent.environment["PYTHONPATH"] = str(folder)


def make_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("more", [0, 2], ids=["alone", "with the end of the key agent's"])
@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(b""), lambda path: cut(path, 3)],
                         ids=["gone", "emptied", "cut"])  # fmt: skip
def test_a_witness_that_lacks_lines_is_told_at_the_next_login_and_once(
    used: AgentBox, harm: Callable[[Path], None], more: int
) -> None:
    harm(used.paths.audit_log("witness"))
    if more:
        cut(used.paths.audit_log("keyagent"), more)
    assert used.verify()[0] == 5
    assert session(used) is True and "witness" in told(used)[0]
    assert session(used) is False and len(told(used)) == 1
    assert used.verify()[0] == 5, "the record keeps it"


@pytest.mark.parametrize("harm", [fill_with_nonsense, make_pipe])
def test_a_witness_that_cannot_be_read_is_told_at_every_login_until_it_is_moved_away(
    used: AgentBox, harm: Callable[[Path], None]
) -> None:
    path = used.paths.audit_log("witness")
    harm(path)
    assert session(used) is True and session(used) is True
    assert told(used) == [["witness"], ["witness"]]
    path.rename(used.paths.root / "evidence")
    assert session(used) is False and session(used) is False
    assert [entry.fault for entry in entries(used.paths, "witness")] == [""] * 4


def test_a_witness_that_is_damaged_while_the_agent_runs_is_told_too(used: AgentBox) -> None:
    used.start()
    assert login(used) is False
    fill_with_nonsense(used.paths.audit_log("witness"))
    assert login(used) is True and told(used) == [["witness"]]


def test_another_process_whose_log_was_cut_together_with_the_witness_is_told(used: AgentBox) -> None:
    """What the newest login or lock of the key agent's log knew of it is looked at, too."""
    for _ in range(2):
        assert used.command("audit", "export").returncode == 0
    session(used)
    used.paths.audit_log("witness").unlink()
    cut(used.paths.audit_log("cli"), 1)
    assert session(used) is True and told(used) == [["cli", "witness"]]


def test_a_log_that_was_put_away_or_pruned_accuses_nobody(used: AgentBox) -> None:
    """The line that names the others may lie in a file that was put away, whatever was written since."""
    path = used.paths.audit_log("keyagent")
    path.rename(used.paths.audit_segment("keyagent", 1))
    AuditLog(used.paths, "keyagent").append(clock.now(), "keyagent:person:refused", reason="a test")
    assert session(used) is False and told(used) == []
    used.paths.audit_log("witness").unlink()
    assert session(used) is True and told(used) == [["witness"]]


def test_an_older_file_of_the_key_agents_log_that_cannot_be_read_is_told(used: AgentBox) -> None:
    used.paths.audit_log("keyagent").rename(used.paths.audit_segment("keyagent", 1))
    AuditLog(used.paths, "keyagent").append(clock.now(), "keyagent:person:refused", reason="a test")
    make_pipe(used.paths.audit_segment("keyagent", 1))
    used.start()
    assert login(used) is True
    found = [entry.fields for entry in entries(used.paths, "keyagent") if not entry.fault]
    assert "keyagent" in next(line["logs"] for line in found if line["event"] == "keyagent:audit:cut")


@pytest.mark.parametrize("process", ["cli", "witness", "keyagent"])
def test_a_log_that_is_cut_while_somebody_is_logged_in_is_told_after_the_lock(used: AgentBox, process: str) -> None:
    """The lock does not put what is left in the place of what was seen."""
    assert used.command("audit", "export").returncode == 0
    client = used.start()
    token = used.login(client)
    client.unwrap(token, "view", "study", [used.header()[0]])
    cut(used.paths.audit_log(process), 2)
    client.lock()
    assert used.process is not None
    used.process.wait(20)
    assert session(used) is True and process in told(used)[0]
    assert session(used) is False


def test_reads_are_seen_by_the_witness_while_the_session_goes_on(used: AgentBox) -> None:
    """Killed, its own log cut back to the login: that is told."""
    look_every_second(used)
    client = used.start()
    token = used.login(client)
    witness = used.paths.audit_log("witness")
    before = witness.read_bytes().count(b"\n")
    time.sleep(3)
    assert witness.read_bytes().count(b"\n") == before, "nothing was written since the login"
    for _ in range(2):
        client.unwrap(token, "view", "study", [used.header()[0]])
    wait_for(lambda: witness.read_bytes().count(b"\n") > before, 20)
    used.end()
    cut(used.paths.audit_log("keyagent"), 2)
    assert used.lines()[-1]["event"] == "keyagent:person:login"
    assert session(used) is True and told(used) == [["keyagent"]]


def test_what_was_cut_is_not_forgotten_by_looking_again(used: AgentBox) -> None:
    look_every_second(used)
    assert used.command("audit", "export").returncode == 0
    client = used.start()
    token = used.login(client)
    witness = used.paths.audit_log("witness")
    before = witness.read_bytes()
    cut(used.paths.audit_log("cli"), 1)
    client.unwrap(token, "view", "study", [used.header()[0]])
    time.sleep(5)
    assert witness.read_bytes() == before
    assert login(used) is True and told(used) == [["cli"]]


@pytest.mark.parametrize("named", [True, False])
def test_an_archive_of_a_version_before_the_witness_is_not_accused(agent: AgentBox, named: bool) -> None:
    cli = list(entries(agent.paths, "cli"))[-1].fields
    heads = {"heads": {"cli": {"seq": cli["seq"], "hash": cli["hash"]}}} if named else {}
    log = AuditLog(agent.paths, "keyagent")
    for _ in range(3):
        log.append(clock.now(), "keyagent:person:login", person=agent.person, lease="0", **heads)
    log.close()
    assert not agent.paths.audit_log("witness").exists()
    assert session(agent) is False and session(agent) is False
    assert told(agent) == [] and agent.verify()[0] == 0


def test_a_login_behind_tens_of_megabytes_of_reads_is_as_quick_and_finds_what_is_missing(used: AgentBox) -> None:
    used.start()
    login(used)
    used.end()
    path = used.paths.audit_log("keyagent")
    last = used.lines()[-1]
    grown, seq, prev = [], last["seq"], last["hash"]
    for number in range(30_000):
        seq += 1
        batch = ["0" * 64] * (9_000 if number % 500 == 0 else 1)
        line = {"seq": seq, "at": last["at"], "event": "keyagent:study:view", "headers": batch, "prev": prev}
        line["hash"] = prev = line_hash(line)
        grown.append(render(line) + b"\n")
    with path.open("ab") as file:
        file.writelines(grown)
    assert path.stat().st_size > 40 * 1024 * 1024
    used.paths.audit_log("witness").unlink()
    used.start()
    began = time.monotonic()
    assert login(used) is True and told(used) == [["witness"]]
    assert time.monotonic() - began < 5
