"""The key agent's socket takes anything that anybody may send, and answers what it knows."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance import sockets
from appliance.errors import BadInput, Damaged, NotLoggedIn, Refused
from appliance.keyring import wire
from appliance.keyring.client import AgentClient
from tests.box import PASSPHRASE, wait_for
from tests.keyring.agentbox import AgentBox, agent_box

ROOT = os.getuid() == 0
STRANGER = "61234"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    """One agent for all that leaves it as it was."""
    with agent_box(tmp_path_factory.mktemp("agent")) as box:
        box.start()
        yield box


def ask(box: AgentBox, raw: bytes) -> bytes:
    """Send raw bytes and the end; return all that comes back."""
    with sockets.connect(box.run.keyagent) as connection:
        connection.settimeout(20)
        parts = []
        # An agent that has heard enough hangs up on what is left.
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                parts.append(part)
    return b"".join(parts)


def framed(message: object) -> bytes:
    raw = json.dumps(message).encode()
    return struct.pack(">I", len(raw)) + raw


def answer(box: AgentBox, message: object) -> dict[str, object]:
    with sockets.connect(box.run.keyagent) as connection:
        connection.sendall(framed(message))
        found = wire.receive(connection)
    assert found is not None
    return found


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=2000))
def test_no_bytes_stop_the_agent(shared: AgentBox, raw: bytes) -> None:
    ask(shared, raw)
    assert shared.client().locked()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
VERBS = st.sampled_from(
    ["status", "logout", "lease", "peek", "job", "ticket", "unwrap", "answer", "__init__", "finish", "_refuse"]
)
FIELDS = st.sampled_from(["token", "purpose", "study", "headers", "studies", "seen", "self", "caller", "_caller"])


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(VERBS, st.dictionaries(FIELDS, JSON, max_size=5))
def test_no_message_stops_the_agent_or_gets_more_than_an_error(
    shared: AgentBox, verb: str, fields: dict[str, object]
) -> None:
    found = answer(shared, {"verb": verb, **fields})
    assert verb in ("status", "logout") or found["error"] in ("BadInput", "NotLoggedIn", "Refused")
    assert shared.client().locked()


@pytest.mark.parametrize("person", ["\ud800", "x" * 100_000, "../../keys", "", "0" * 16])
def test_no_name_opens_a_slot_or_breaks_the_log(shared: AgentBox, person: str) -> None:
    with sockets.connect(shared.run.keyagent) as connection:
        wire.send(connection, {"verb": "login", "person": person, "passphrase": "wrong"})
        assert (wire.receive(connection) or {})["error"] in ("BadInput", "Refused")
    assert shared.lines("keyagent:person:login") == []


def test_an_oversized_message_is_refused_unread(shared: AgentBox) -> None:
    found = ask(shared, struct.pack(">I", wire.LONGEST + 1))
    assert b"too long" in found


def test_a_message_nested_too_deep_is_refused(shared: AgentBox) -> None:
    raw = b'{"verb":' + b"[" * 100_000
    assert b"BadInput" in ask(shared, struct.pack(">I", len(raw)) + raw)


def test_a_verb_that_does_not_exist_is_refused(shared: AgentBox) -> None:
    for verb in ("export", "answer", "sweep", "", None, 7, ["status"], {"a": 1}):
        assert answer(shared, {"verb": verb})["error"] == "BadInput"


def test_callers_that_leave_in_the_middle_leave_their_place(shared: AgentBox) -> None:
    for _ in range(200):
        ask(shared, struct.pack(">I", 100) + b"{")
        ask(shared, framed({"verb": "unwrap", "headers": [1]}))
    assert shared.client().locked()


@pytest.mark.skipif(not ROOT, reason="needs root to take another user")
def test_another_user_gets_no_word_even_if_the_socket_is_open_to_all() -> None:
    with tempfile.TemporaryDirectory() as folder, agent_box(Path(folder)) as box:
        Path(folder).chmod(0o755)
        client = box.start()
        box.login(client)
        box.run.keyagent.chmod(0o777)
        script = (
            "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n"
            "print('connected', flush=True)\n"
            "m=b'{\"verb\":\"status\"}'; s.sendall(len(m).to_bytes(4,'big')+m); print(s.recv(999))"
        )
        program = ["/usr/bin/python3", "-c", script, str(box.run.keyagent)]
        ours = subprocess.run(program, capture_output=True, text=True)
        assert '"locked":false' in ours.stdout, ours.stderr
        stranger = ["setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups"]
        theirs = subprocess.run([*stranger, *program], capture_output=True, text=True)
        assert theirs.stdout.splitlines()[0] == "connected", theirs.stderr
        assert "locked" not in theirs.stdout
        assert not client.locked()


def test_a_token_taken_by_another_program_is_refused_and_audited(agent: AgentBox) -> None:
    client = agent.start()
    token = agent.login(client)
    header, _ = agent.header()
    script = (
        "import sys; from pathlib import Path; from appliance.keyring.client import AgentClient\n"
        "from appliance.errors import Refused, NotLoggedIn\n"
        "client = AgentClient(Path(sys.argv[1]))\n"
        "for call in (lambda: client.unwrap(sys.argv[2], 'view', 'study1', [bytes.fromhex(sys.argv[3])]),\n"
        "             lambda: client.lease(sys.argv[2]), lambda: client.logout(sys.argv[2])):\n"
        "    try: call()\n"
        "    except NotLoggedIn: print('ended')\n"
        "    except Refused as error: print(error.message)\n"
        "    else: print('taken')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(agent.run.keyagent), token, header.hex()], capture_output=True, text=True
    )
    assert done.stdout.splitlines() == ["This session belongs to another program."] * 3, done.stderr
    refused = agent.lines("keyagent:lease:refused")
    assert [line["reason"] for line in refused] == ["other caller"] * 3
    assert refused[0]["study"] == "study1" and refused[0]["person"] == agent.person
    assert agent.lines("keyagent:study:") == []
    assert len(client.unwrap(token, "view", "study1", [header])) == 1


def test_an_ended_lease_reads_nothing_and_the_attempt_is_audited(agent: AgentBox) -> None:
    client = agent.start()
    token = agent.login(client)
    lease = client.lease(token).lease
    other = agent.login(client)
    header, _ = agent.header()
    client.logout(token)
    with pytest.raises(NotLoggedIn):
        client.unwrap(token, "view", "study1", [header])
    (line,) = agent.lines("keyagent:lease:refused")
    assert (line["reason"], line["lease"], line["person"]) == ("ended", lease, agent.person)
    assert client.lease(other).person == agent.person


def test_a_batch_outside_the_scope_is_refused_and_audited(agent: AgentBox) -> None:
    client = agent.start()
    token = agent.login(client)
    ticket = client.ticket(token, ["study1"])
    header, _ = agent.header()
    assert len(client.unwrap(ticket, "view", "study1", [header])) == 1
    notes, _ = agent.header("notes")
    job = client.job()
    attempts = [
        (ticket, "view", "study2", header, "scope"),
        (ticket, "retrieve", "study1", header, "purpose"),
        (ticket, "view", "", header, "scope"),
        (token, "view", "", header, "scope"),
        (token, "settle", "", notes, "purpose"),
        (job, "settle", "study1", notes, "scope"),
        (job, "view", "study1", header, "purpose"),
        (job, "settle", "", header, "Refused"),  # an image's header under a purpose of notes
        (token, "view", "study1", notes, "Refused"),  # a note's header under a purpose of images
    ]
    for lease, purpose, study, raw, reason in attempts:
        # What the lease covers and no identity of its kind opens is a matter of the file, not of the person.
        with pytest.raises(Damaged if reason == "Refused" else Refused):
            client.unwrap(lease, purpose, study, [raw])
    assert [line["reason"] for line in agent.lines("keyagent:lease:refused")] == [reason for *_, reason in attempts]
    assert len(agent.lines("keyagent:study:")) == 1


def test_a_decision_is_recorded_for_whom_it_is_due_and_refused_and_recorded_for_everybody_else(
    agent: AgentBox,
) -> None:
    client = agent.start()
    token = agent.login(client)
    digest = "d" * 64
    client.decide(token, "tombstone", "study1", digest)
    (line,) = agent.lines("keyagent:decision:")
    assert (line["event"], line["study"], line["decision"]) == ("keyagent:decision:tombstone", "study1", digest)
    ticket, job = client.ticket(token, ["study1"]), client.job()
    for lease, kind in ((ticket, "hold"), (job, "hold"), (job, "tombstone"), (ticket, "quarantine")):
        with pytest.raises(Refused):
            client.decide(lease, kind, "study1", digest)
    client.decide(job, "quarantine", "", digest)
    for wrong in (("burn", "study1", digest), ("hold", "x" * 65, digest), ("hold", "study1", "D" * 64)):
        with pytest.raises(BadInput):
            client.decide(token, *wrong)
    client.logout(job)
    with pytest.raises(NotLoggedIn):
        client.decide(job, "quarantine", "", digest)
    assert len(agent.lines("keyagent:decision:")) == 2
    refused = agent.lines("keyagent:lease:refused")
    assert [line["reason"] for line in refused] == ["purpose"] * 4 + ["ended"]
    assert all(line["decision"] == digest for line in refused)


def test_a_malformed_header_in_a_batch_refuses_all_of_it(agent: AgentBox) -> None:
    client = agent.start()
    token = agent.login(client)
    good, _ = agent.header()
    with pytest.raises(Exception, match=r"age|header|malformed|damaged"):
        client.unwrap(token, "view", "study1", [good, b"age-encryption.org/v1\nnonsense"])
    with pytest.raises(BadInput):
        client.unwrap(token, "view", "study1", [])
    assert agent.lines("keyagent:study:") == []
    assert len(agent.lines("keyagent:lease:refused")) == 1


def test_a_wrong_passphrase_waits_and_the_right_one_is_never_kept_out_long(agent: AgentBox) -> None:
    client = agent.start()
    for _ in range(3):
        with pytest.raises(Refused):
            agent.login(client, "wrong")
    assert agent.login(client, PASSPHRASE)
    assert [line["person"] for line in agent.lines("keyagent:person:refused")] == [agent.person] * 3


def test_locking_ends_the_process(agent: AgentBox) -> None:
    client = agent.start()
    agent.login(client)
    client.lock()
    assert agent.process is not None
    wait_for(lambda: agent.process is not None and agent.process.poll() is not None, 10)
    assert [line["reason"] for line in agent.lines("keyagent:archive:lock")] == ["asked"]


def test_whoever_locks_hears_of_it_before_the_agent_is_gone(agent: AgentBox) -> None:
    for _ in range(8):
        client = agent.start()
        agent.login(client)
        client.lock()
        agent.end()


def test_an_agent_that_ends_before_it_reads_is_the_end_of_watching(tmp_path: Path) -> None:
    """The connection is reset then, which is no fault that anybody has to look into."""
    path = tmp_path / "keyagent.sock"
    with sockets.listen(path) as listener:

        def end_unread() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1)

        thread = threading.Thread(target=end_unread)
        thread.start()
        assert list(AgentClient(path).watch()) == []
        thread.join(10)
