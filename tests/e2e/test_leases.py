"""Sessions end when they must, reading stops with them, and an exchanged key stops the box from taking images."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.keyring.client import AgentClient
from appliance.sealing.identities import Identity
from tests.box import OWNER, PASSPHRASE, Box, running, wait_for
from tests.samples.collection import collection
from tests.samples.modality import send


def samples() -> Iterator[Any]:
    return (sample for sample in collection() if "CT_small" in sample.name or "MR_small" in sample.name)


def audit_lines(box: Box, event: str) -> list[dict[str, Any]]:
    done = box.run("audit", "list", "--json", "--event", event, "--state", str(box.state))
    return [json.loads(line) for line in done.stdout.splitlines()]


def status(box: Box) -> dict[str, Any]:
    return dict(json.loads(box.run("status", "--json", "--state", str(box.state)).stdout))


def test_an_exchanged_public_key_is_noticed_at_login_and_stops_the_box_from_taking_images(own_box: Box) -> None:
    waiting = samples()
    assert all(answer.stored for answer in send([next(waiting)], "127.0.0.1", own_box.dicom_port))
    public = own_box.state / "keys" / "1.images.pub"
    ours = public.read_bytes()
    public.write_text(f"{Identity.generate().recipient()}\n")
    with own_box.client() as client:
        answer = client.post("/api/session", json={"user": OWNER, "password": PASSPHRASE})
        assert (answer.status_code, answer.json()["error"]) == (500, "damaged")
        assert client.get("/api/status").json()["locked"] is True
    refused = next(waiting)
    assert [answer.status for answer in send([refused], "127.0.0.1", own_box.dicom_port)] == [0x0110]
    assert status(own_box)["alarms"] == ["exchanged public key: 1.images.pub"]
    assert "ALARM" in own_box.run("status", "--state", str(own_box.state)).stdout.decode()
    assert [line["public_key"] for line in audit_lines(own_box, "keyagent:recipients:exchanged")] == ["1.images.pub"]
    own_box.stop()
    own_box.start()
    assert [answer.status for answer in send([refused], "127.0.0.1", own_box.dicom_port)] == [0x0110]
    public.write_bytes(ours)
    with own_box.login() as client:
        assert [answer.status for answer in send([refused], "127.0.0.1", own_box.dicom_port)] == [0x0000]
        own_box.settled(client, 2)
    assert status(own_box)["alarms"] == []
    assert len(audit_lines(own_box, "keyagent:recipients:restored")) == 1


def test_a_session_of_the_pages_is_of_no_use_to_another_program(own_box: Box) -> None:
    with own_box.login() as client:
        token = client.cookies["negato_session"]
        thief = AgentClient(own_box.state / "run" / "keyagent.sock")
        with pytest.raises(Exception, match="belongs to another program"):
            thief.unwrap(token, "view", "study", [b"age-encryption.org/v1"])
        (line,) = audit_lines(own_box, "keyagent:lease:refused")
        assert (line["reason"], line["study"]) == ("other caller", "study")
        assert client.get("/api/session").status_code == 200


def test_logging_out_of_the_last_session_locks_and_says_why(own_box: Box) -> None:
    before = own_box.children()
    with own_box.login() as client:
        assert client.delete("/api/session").status_code == 204
    with own_box.client() as client:
        wait_for(lambda: own_box._locked(client), 20)
        assert client.get("/api/session").status_code == 423
    for process in ("keyagent", "web"):
        wait_for(lambda: own_box.children().get(process, before[process]) != before[process], 20)  # noqa: B023
    after = own_box.children()
    assert after["receiver"] == before["receiver"]
    assert [line["reason"] for line in audit_lines(own_box, "keyagent:archive:lock")] == ["last session ended"]


def test_a_box_that_is_stopped_while_open_writes_down_that_it_locked(own_box: Box) -> None:
    with own_box.login():
        own_box.stop()
    (line,) = audit_lines(own_box, "keyagent:archive:lock")
    assert line["reason"] == "stopped"


def test_a_session_without_use_ends_by_itself_though_its_page_stays_open(tmp_path: Path) -> None:
    """Six real seconds, the shortest that can be set; the lengths themselves are proved on the table with a clock."""
    with running(tmp_path, idle_minutes="0.1") as box, box.login() as client:
        began = time.monotonic()
        with client.stream("GET", "/api/events") as events:
            text = "".join(events.iter_text())
        assert "event: locked" in text
        assert 5 < time.monotonic() - began < 30
        with box.client() as fresh:
            wait_for(lambda: box._locked(fresh), 20)


def test_wrong_passphrases_slow_a_guesser_down_and_not_the_owner_for_more_than_seconds(own_box: Box) -> None:
    with own_box.client() as client:
        for _ in range(6):
            assert client.post("/api/session", json={"user": OWNER, "password": "wrong"}).status_code == 401
        began = time.monotonic()
        assert client.post("/api/session", json={"user": "Somebody", "password": "wrong"}).status_code == 401
        other = time.monotonic() - began
        began = time.monotonic()
        assert client.post("/api/session", json={"user": OWNER, "password": PASSPHRASE}).status_code == 200
        assert time.monotonic() - began < other + 5 + 10
    assert len({line["person"] for line in audit_lines(own_box, "keyagent:person:refused")}) == 2
