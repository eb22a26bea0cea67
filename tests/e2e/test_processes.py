"""Four processes: each is started again when it dies, all end together, and the receiver knows no private key."""

from __future__ import annotations

import ast
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.box import APPLIANCE, Box, free_ports, wait_for
from tests.e2e.objects import tiny
from tests.samples.modality import Unanswered, echo, send

PROCESSES = {"receiver", "keyagent", "web", "decoder"}
NEVER_IN_THE_RECEIVER = (
    "appliance.sealing.identities",
    "appliance.sealing.reader",
    "appliance.sealing.slots",
    "appliance.sealing.words",
    "appliance.keyring.agent",
    "appliance.keyring.client",
    "appliance.keyring.epochs",
    "appliance.keyring.leases",
    "appliance.keyring.slots",
    "appliance.index",
    "appliance.people",
    "appliance.api",
    "sqlcipher3",
)
LOADED = """
import sys
sys.argv = ["appliance", "run", "receiver"]
from appliance.cli.main import main
main()
print(sorted(sys.modules))
"""


def alive(pid: int) -> bool:
    """Return whether a process runs; one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def receives(box: Box) -> bool:
    try:
        return echo("127.0.0.1", box.dicom_port) == 0
    except (Unanswered, OSError):
        return False


def serves(box: Box) -> bool:
    try:
        return httpx.get(f"{box.url}/api/status", timeout=10).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("name", sorted(PROCESSES))
def test_a_killed_process_is_started_again_and_the_service_goes_on(box: Box, name: str) -> None:
    sample = tiny("killed", name)
    before = box.children()
    assert set(before) == PROCESSES
    os.kill(before[name], signal.SIGKILL)
    wait_for(lambda: box.children().get(name, before[name]) != before[name], 15)
    wait_for(lambda: receives(box) and serves(box), 15)
    assert send([sample], "127.0.0.1", box.dicom_port)[0].stored
    with box.login() as client:
        wait_for(lambda: shown(client, sample.sop_instance), 20)
    box.lock()


def shown(client: httpx.Client, sop_instance: str) -> bool:
    """Return whether an image is listed and its picture decoded: that takes all four processes."""
    found = client.get("/dicom-web/instances", params={"SOPInstanceUID": sop_instance}).json()
    if not found:
        return False
    url = httpx.URL(found[0]["00081190"]["Value"][0]).path
    answer = client.get(f"{url}/frames/1", headers={"Accept": 'multipart/related; type="application/octet-stream"'})
    assert answer.status_code == 200, answer.text
    study = client.post("/api/studies/search", json={}).json()["studies"][0]["key"]
    series = client.get(f"/api/studies/{study}").json()["series"][0]["key"]
    instance = client.get(f"/api/series/{series}").json()["instances"][0]["key"]
    return client.get(f"/api/instances/{instance}/frames/1").status_code == 200


@pytest.mark.parametrize("way", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_end_of_serve_is_the_end_of_every_process_and_socket(own_box: Box, way: signal.Signals) -> None:
    assert own_box.process is not None
    pids = [own_box.process.pid, *own_box.children().values()]
    assert len(pids) == 5
    own_box.process.send_signal(way)
    code = own_box.process.wait(15)
    wait_for(lambda: not any(map(alive, pids[1:])), 15)
    for port in (own_box.http_port, own_box.dicom_port):
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("127.0.0.1", port))
    if way != signal.SIGKILL:
        assert code == 0
        assert [path for path in own_box.root.rglob("*") if path.is_socket()] == []
        assert "unexpected" not in own_box.log.read_text()
    own_box.process = None
    own_box.start()
    assert receives(own_box) and serves(own_box)


def test_serve_is_ready_soon(own_box: Box) -> None:
    own_box.stop()
    seconds = own_box.start()
    print(f"ready {seconds:.2f} s after the command")
    assert seconds < 10


def test_a_second_serve_of_the_same_archive_is_refused_and_harms_nothing(box: Box) -> None:
    http, dicom = free_ports(2)
    done = box.run("serve", "--state", str(box.state), "--http", f"127.0.0.1:{http}", "--dicom", f"127.0.0.1:{dicom}")
    assert done.returncode == 6
    assert b"served already" in done.stderr
    with box.login() as client:
        assert client.get("/dicom-web/studies").status_code == 200
    box.lock()


@pytest.mark.parametrize("loading", ["nothing more", "a private key's module"])
def test_the_receiver_never_loads_what_handles_private_keys(box: Box, loading: str) -> None:
    (port,) = free_ports(1)
    program = LOADED
    if loading != "nothing more":  # A check that cannot fail proves nothing.
        program = program.replace("main()\nprint", "main()\nimport appliance.sealing.identities\nprint")
    receiver = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**box.environment, "NEGATO_STATE": str(box.state), "NEGATO_DICOM": f"127.0.0.1:{port}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        wait_for(lambda: can_connect(port), 15)
        assert send([tiny("modules")], "127.0.0.1", port)[0].stored
        receiver.terminate()
        loaded = ast.literal_eval(receiver.communicate(timeout=15)[0])
    finally:
        receiver.kill()
        receiver.wait()
    assert "appliance.ingest.receive" in loaded
    found = [name for name in loaded if name.startswith(NEVER_IN_THE_RECEIVER)]
    assert found == ([] if loading == "nothing more" else ["appliance.sealing.identities"])


def can_connect(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def test_a_process_that_lost_its_supervisor_does_not_start(box: Box) -> None:
    done = subprocess.run(
        [*APPLIANCE, "run", "receiver"],
        env={**box.environment, "NEGATO_STATE": str(box.state), "NEGATO_SUPERVISOR": "1"},
        capture_output=True,
        timeout=30,
    )
    assert done.returncode == 0
