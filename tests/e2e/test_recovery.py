"""The recovery sheet: when every phone and every cookie is lost, its tunnel and its key let one in again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from appliance.sealing.identities import Identity
from appliance.sealing.words import to_words
from tests.box import OWNER, PASSPHRASE, Box
from tests.tunnelled import TunnelledBox, tunnelled


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TunnelledBox]:
    with tunnelled(tmp_path_factory.mktemp("recovery")) as started:
        yield started


@pytest.fixture(scope="module")
def sheet(box: TunnelledBox) -> httpx.Client:
    """A browser that came by the tunnel of the sheet."""
    page = box.root / "tunnel.txt"
    box.command("device", "recovery", "--out", str(page))
    text = page.read_text("utf-8")
    assert "Endpoint = box.example.org:51820" in text
    address = re.search(r"Address = ([\d.]+)/32", text)
    assert address is not None
    return box.at(address[1])


@pytest.fixture(scope="module")
def paper(box: TunnelledBox) -> Identity:
    found = re.search(r"AGE-SECRET-KEY-1\S+", box.kit.read_text("utf-8"))
    assert found is not None
    return Identity.parse(found[0])


def test_the_sheets_tunnel_leads_to_its_page_and_nothing_else(box: TunnelledBox, sheet: httpx.Client) -> None:
    assert sheet.get("/api/session/device").json()["place"] == "recovery"
    assert sheet.get("/").status_code == 200
    for method, path in (
        ("POST", "/api/session"), ("POST", "/api/claim"), ("GET", "/api/devices"), ("GET", "/api/events"),
        ("POST", "/api/studies/search"), ("GET", "/dicom-web/studies"), ("POST", "/api/lock"),
    ):  # fmt: skip
        body = {"user": OWNER, "password": PASSPHRASE} if path == "/api/session" else {}
        answer = sheet.request(method, path, json=body)
        assert (answer.status_code, answer.json()["error"]) == (403, "refused"), path


def test_the_recovery_page_is_reached_by_the_sheets_tunnel_alone(
    box: TunnelledBox, sheet: httpx.Client, paper: Identity
) -> None:
    told = box.invite(OWNER, "Ordinaire")
    for client in (box.client(), box.at(told["ipv4"])):
        with client:
            assert client.post("/api/recovery", json={"paper": paper.reveal()}).status_code == 403


@pytest.mark.parametrize(
    "text",
    ["", "abandon " * 24, "AGE-SECRET-KEY-1QQQQ", Identity.generate().reveal()],
    ids=["nothing", "words", "short", "somebody else's"],
)
def test_another_key_opens_nothing(sheet: httpx.Client, text: str) -> None:
    answer = sheet.post("/api/recovery", json={"paper": text})
    assert answer.status_code == 403
    assert "token" not in answer.text


def test_the_only_phone_lost_the_owner_is_back_with_sheet_and_passphrase(
    box: TunnelledBox, sheet: httpx.Client, paper: Identity
) -> None:
    lost = box.invite(OWNER, "Perdu")
    with box.at(lost["ipv4"]) as phone:
        assert phone.post("/api/claim").status_code == 204
        box.lock()  # Locked as after a power cut.
        words = to_words(paper.reveal_bytes(), "french")
        shown = sheet.post("/api/recovery", json={"paper": words}).json()
        assert sheet.get("/api/status").json()["locked"] is True
        gone = [one["id"] for one in shown["devices"] if one["name"] == "Perdu"]
        wish = {"token": shown["token"], "person": shown["owners"][0]["id"], "name": "Nouveau", "kind": "phone"}
        wish["revoke"] = gone
        handed = sheet.post("/api/recovery/device", json=wish)
        assert handed.status_code == 201, handed.text
        assert phone.get("/").status_code == 401
    fresh = box.devices()["Nouveau"]
    with box.at(fresh["ipv4"]) as phone:
        assert phone.post("/api/claim").status_code == 204
        answer = phone.post("/api/session", json={"user": OWNER, "password": PASSPHRASE})
        assert answer.status_code == 200, answer.text
        assert phone.post("/api/studies/search", json={}).status_code == 200
    assert "Perdu" not in box.devices()
    lines = [json.loads(line) for line in (box.state / "audit/keyagent.log").read_text().splitlines()]
    events = [line["event"] for line in lines]
    for event in (
        "keyagent:paper:shown",
        "keyagent:device:recover",
        "keyagent:device:revoke",
        "keyagent:device:invite",
    ):
        assert event in events
    assert {line["by"] for line in lines if line["event"] == "keyagent:device:revoke"} == {"paper key"}
    secret = paper.reveal().encode()
    kept = [path for path in box.root.rglob("*") if path.is_file() and path != box.kit]
    assert [path for path in kept if secret in path.read_bytes()] == []


def test_a_token_of_the_sheet_is_no_session_and_no_words_of_somebody_else(
    box: TunnelledBox, sheet: httpx.Client, paper: Identity
) -> None:
    shown = sheet.post("/api/recovery", json={"paper": paper.reveal()}).json()
    with box.client() as client:
        client.cookies.set("negato_session", shown["token"])
        assert client.post("/api/studies/search", json={}).status_code in (401, 423)
    wish = {"token": "x" * 43, "person": shown["owners"][0]["id"], "name": "Faux", "kind": "phone"}
    assert sheet.post("/api/recovery/device", json=wish).status_code == 401
    assert "Faux" not in box.devices()


def test_a_new_page_of_the_sheet_ends_the_tunnel_of_the_one_before(box: TunnelledBox, sheet: httpx.Client) -> None:
    page = box.root / "second.pdf"
    box.command("device", "recovery", "--out", str(page))
    assert page.read_bytes().startswith(b"%PDF")
    assert page.stat().st_mode & 0o777 == 0o600
    assert sheet.get("/api/session/device").status_code == 401


@pytest.mark.parametrize("suffix", ["txt", "pdf"])
def test_the_sheet_of_a_new_archive_has_its_tunnel(tmp_path: Path, suffix: str) -> None:
    box = Box(tmp_path)
    kit = tmp_path / f"kit.{suffix}"
    done = box.run(
        "init", "--state", str(box.state), "--owner", OWNER, "--login-seconds", "0", "--recovery-out", str(kit),
        "--password-file", str(box.password_file), "--outside", "box.example.org:51820",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    key = (box.state / "netd/server.key").stat()
    assert key.st_mode & 0o777 == 0o600
    if suffix == "txt":
        text = kit.read_text("utf-8")
        private = re.search(r"PrivateKey = (\S+)", text)
        assert private is not None
        assert "Endpoint = box.example.org:51820" in text
        kept = [path for path in box.state.rglob("*") if path.is_file()]
        assert [path for path in kept if private[1].encode() in path.read_bytes()] == []
    listed = json.loads(box.run("device", "list", "--json", "--state", str(box.state)).stdout)
    assert [(row["name"], row["reach"], row["state"]) for row in listed] == [("Recovery sheet", "recovery", "active")]


def test_a_bad_endpoint_makes_no_archive(tmp_path: Path) -> None:
    box = Box(tmp_path)
    done = box.run(
        "init", "--state", str(box.state), "--owner", OWNER, "--login-seconds", "0",
        "--recovery-out", str(tmp_path / "kit.txt"), "--password-file", str(box.password_file), "--outside", "nowhere",
    )  # fmt: skip
    assert done.returncode == 2
    assert not (box.state / "FORMAT").exists()
    assert not (tmp_path / "kit.txt").exists()
