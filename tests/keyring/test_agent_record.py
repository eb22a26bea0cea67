"""No key leaves the agent without its line: one read, one line, durable first."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import re
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from appliance.audit.line import LONGEST_LINE
from appliance.errors import EnvironmentProblem, NegatoError
from appliance.keyring.agent import MOST_HEADERS
from appliance.sealing.reader import open_sealed
from tests.keyring.agentbox import AgentBox, agent_box

ROUNDS = int(os.environ.get("NEGATO_TEST_KILLS", "12"))
READERS = 4


def test_a_key_that_was_received_has_its_line_whenever_the_agent_is_killed(agent: AgentBox) -> None:
    """kill -9 at random instants; NEGATO_TEST_KILLS rounds."""
    chance = random.Random(3)
    received: set[str] = set()
    for _ in range(ROUNDS):
        client = agent.start()
        token = agent.login(client)
        headers = [agent.header()[0] for _ in range(50)]
        batches = [(f"study{chance.random()}", chance.sample(headers, chance.randint(1, 50))) for _ in range(4000)]
        begun = threading.Barrier(READERS + 1)

        def read(
            part: int, begun: threading.Barrier = begun, batches: list[tuple[str, list[bytes]]] = batches,
            token: str = token,
        ) -> None:  # fmt: skip
            own = agent.client()
            begun.wait()
            with contextlib.suppress(EnvironmentProblem):
                for study, batch in batches[part::READERS]:
                    keys = own.unwrap(token, "view", study, batch)
                    assert len(keys) == len(batch)
                    received.add(study)

        with ThreadPoolExecutor(READERS) as pool:
            readers = [pool.submit(read, part) for part in range(READERS)]
            begun.wait()
            threading.Event().wait(chance.uniform(0.0, 0.25))
            agent.end()
            for reader in readers:
                reader.result()
    written = [line["study"] for line in agent.lines("keyagent:study:view")]
    assert len(received) > ROUNDS, "the readers hardly began"
    assert received - set(written) == set()
    assert len(written) == len(set(written))
    code, found = agent.verify()
    assert (code, found["whole"]) == (0, True)


def test_fifty_readers_at_once_keep_the_chain(agent: AgentBox) -> None:
    client = agent.start()
    token = agent.login(client)
    header, sealed = agent.header()

    def read(number: int) -> bytes:
        return agent.client().unwrap(token, "view", f"study{number}", [header])[0]

    with ThreadPoolExecutor(50) as pool:
        keys = list(pool.map(read, range(500)))
    assert open_sealed(sealed, keys[0]) and len(set(keys)) == 1
    lines = agent.lines("keyagent:study:view")
    assert sorted(line["study"] for line in lines) == sorted(f"study{n}" for n in range(500))
    digest = hashlib.sha256(header).hexdigest()
    assert all(line["headers"] == [digest] for line in lines)
    assert agent.verify()[0] == 0


def test_the_largest_batch_is_one_line_and_the_next_start_finds_it(agent: AgentBox) -> None:
    client = agent.start()
    token = agent.login(client)
    headers = [agent.header()[0] for _ in range(3)]
    batch = [headers[number % 3] for number in range(MOST_HEADERS)]
    study = "\N{GRINNING FACE}" * 64
    assert len(client.unwrap(token, "retrieve", study, batch)) == MOST_HEADERS
    with pytest.raises(NegatoError):
        client.unwrap(token, "retrieve", study, [*batch, headers[0]])
    agent.end()
    (line,) = agent.lines("keyagent:study:retrieve")
    longest = max(map(len, agent.paths.audit_log("keyagent").read_bytes().splitlines()))
    assert len(line["headers"]) == MOST_HEADERS and longest < LONGEST_LINE
    agent.login(agent.start())
    assert agent.verify()[0] == 0


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to mount a small disk")
def test_no_key_leaves_when_its_line_cannot_be_written(tmp_path: Path) -> None:
    with agent_box(tmp_path) as box:
        begun = box.paths.audit_log("cli").read_bytes()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", box.paths.audit], check=True)
        try:
            box.paths.audit_log("cli").write_bytes(begun)
            client = box.start()
            token = box.login(client)
            header, _ = box.header()
            read = []
            with pytest.raises(EnvironmentProblem, match=r"The disk is full|audit log cannot be written"):
                for number in range(2000):
                    client.unwrap(token, "view", f"study{number}", [header] * 10)
                    read.append(f"study{number}")
            with pytest.raises(EnvironmentProblem):
                client.unwrap(token, "view", "more", [header] * 10)
            assert [line["study"] for line in box.lines("keyagent:study:view")] == read
            subprocess.run(["mount", "-o", "remount,size=4m", box.paths.audit], check=True)
            assert client.unwrap(token, "view", "again", [header])
            assert box.lines("keyagent:study:view")[-1]["study"] == "again"
            code, found = box.verify()
            assert (code, sum(log["torn"] for log in found["logs"]) <= 2) == (0, True), found
        finally:
            box.end()
            subprocess.run(["umount", box.paths.audit], check=True)


def test_every_line_names_what_the_agent_itself_saw(agent: AgentBox) -> None:
    client = agent.start()
    token = agent.login(client)
    batch = [agent.header()[0] for _ in range(3)]
    client.unwrap(token, "view", "study1", batch)
    (line,) = agent.lines("keyagent:study:view")
    assert line["headers"] == [hashlib.sha256(header).hexdigest() for header in batch]
    assert (line["person"], line["lease"]) == (agent.person, client.lease(token).lease)


def test_the_agent_leaves_no_core_and_lets_nobody_look_into_it(agent: AgentBox) -> None:
    agent.start()
    assert agent.process is not None
    limits = Path(f"/proc/{agent.process.pid}/limits").read_text()
    assert re.search(r"Max core file size +0 +0 ", limits)


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to take another user")
def test_a_process_of_the_same_user_cannot_read_a_hardened_one() -> None:
    """prctl(2) PR_SET_DUMPABLE, told by /proc: what the key agent calls at its start."""
    look = "import os; open(f'/proc/{os.getppid()}/mem', 'rb').close()"
    program = (
        "import subprocess, sys; sys.path.insert(0, sys.argv[1])\n"
        "from appliance.hardening import no_dumps\n"
        "if sys.argv[2] == 'hardened': no_dumps()\n"
        "sys.exit(subprocess.run([sys.executable, '-c', sys.argv[3]], capture_output=True).returncode)\n"
    )
    codes = [
        subprocess.run(
            [
                "setpriv", "--reuid=61234", "--regid=61234", "--clear-groups",
                "/usr/bin/python3", "-c", program, str(Path(__file__).parents[2]), how, look,
            ],
            cwd="/",
        ).returncode
        for how in ("plain", "hardened")
    ]  # fmt: skip
    assert codes == [0, 1]


@pytest.mark.parametrize("limit", ["unlimited:unlimited", "8192:8192"])
def test_the_agents_memory_is_locked_where_the_system_allows_it(tmp_path: Path, limit: str) -> None:
    """Containers mostly do not: there the agent runs all the same, its memory unlocked."""
    lift = ("prlimit", f"--memlock={limit}")
    allowed = limit.startswith("unlimited") and subprocess.run([*lift, "true"], capture_output=True).returncode == 0
    with agent_box(tmp_path) as box:
        box.prefix = lift if allowed or not limit.startswith("unlimited") else ()
        box.login(box.start())
        assert box.process is not None
        found = re.search(r"VmLck:\s+(\d+) kB", Path(f"/proc/{box.process.pid}/status").read_text())
        assert found is not None and (int(found[1]) > 10_000) is allowed
