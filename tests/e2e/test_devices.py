"""Devices by command line and HTTP: invited, seen, claimed, logged in, put out. netd is its stand-in."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from appliance.enrol.netd import NetdClient
from appliance.people.devices import Devices
from appliance.people.file import SystemFile
from appliance.sealing.tunnel_keys import new_private_key, public_key_of
from tests.box import OWNER, PASSPHRASE, Box, wait_for
from tests.tunnelled import TunnelledBox, tunnelled

DOCTOR, SECRET = "Dr Martin", "volcan-prairie-sept-lanterne-ciment-hublot-girafe-violon"
SHORT = "Kzq7-tulipe-9Wf-x"


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TunnelledBox]:
    """A box with an owner and a doctor."""
    with tunnelled(tmp_path_factory.mktemp("devices")) as started:
        file = started.root / "doctor.txt"
        file.write_text(SECRET, "utf-8")
        started.command(
            "user", "add", DOCTOR, "--role", "doctor", "--new-password-file", str(file),
            "--user", OWNER, "--password-file", str(started.password_file),
        )  # fmt: skip
        yield started


@pytest.fixture(scope="module")
def desk(box: TunnelledBox) -> Iterator[httpx.Client]:
    """The owner at the box itself; as long as she is logged in, nobody's logout locks."""
    with box.client() as client:
        log_in(client, OWNER, PASSPHRASE)
        yield client


def log_in(client: httpx.Client, user: str, password: str, code: int = 200) -> httpx.Response:
    answer = client.post("/api/session", json={"user": user, "password": password})
    assert answer.status_code == code, answer.text
    return answer


def let_in(box: TunnelledBox, person: str, name: str) -> tuple[str, httpx.Client]:
    """Return the id of a fresh device and its claimed browser."""
    told = box.invite(person, name)
    browser = box.at(told["ipv4"])
    assert browser.post("/api/claim").status_code == 204
    return told["device"], browser


def address_of(box: TunnelledBox, device: str) -> str:
    return next(row["ipv4"] for row in box.devices().values() if row["id"] == device)


def claim_state(client: httpx.Client) -> str:
    return str(client.get("/api/session/device").json()["claim"])


def events(box: TunnelledBox) -> list[dict[str, Any]]:
    lines = [path.read_text("utf-8").splitlines() for path in (box.state / "audit").glob("*.log")]
    return [json.loads(line) for part in lines for line in part]


def said(box: TunnelledBox, event: str, device: str) -> int:
    return sum(line["event"] == event and line.get("device") == device for line in events(box))


def secret_of(browser: httpx.Client) -> str:
    return next(cookie.value or "" for cookie in browser.cookies.jar if cookie.name == "negato_browser")


# --- the way in ----------------------------------------------------------------------------------------------------


def test_a_phone_is_invited_seen_claimed_and_logged_in(box: TunnelledBox, desk: httpx.Client) -> None:
    told = box.invite(OWNER, "Premier")
    assert box.devices()["Premier"]["state"] == "invited"
    with box.at(told["ipv4"]) as browser:
        here = browser.get("/api/session/device").json()
        place = {"place": "device", "device": "Premier", "person": OWNER, "claim": "open"}
        assert here == place | {"approval": False, "elsewhere": ""}
        assert box.devices()["Premier"]["state"] == "active"
        cookie = browser.post("/api/claim").headers["set-cookie"]
        assert re.match(
            r"negato_browser=[0-9a-f]{64}; HttpOnly; Max-Age=\d+; Path=/api/session; SameSite=strict", cookie
        )
        assert claim_state(browser) == "this"
        log_in(browser, OWNER, PASSPHRASE)
        assert browser.post("/api/studies/search", json={}).status_code == 200
    for event in ("cli:device:invite", "keyagent:device:seen", "keyagent:device:claim", "keyagent:person:login"):
        assert said(box, event, told["device"]) == 1, event


def test_the_qr_code_is_the_file_and_the_private_key_is_nowhere_else(box: TunnelledBox, tmp_path: Path) -> None:
    picture, file = tmp_path / "phone.png", tmp_path / "phone.conf"
    box.invite(OWNER, "Codes", "--qr", str(picture), "--out", str(file), "--cabinet")
    for one, name in ((file, "box.example.org:51820"), (tmp_path / "phone-cabinet.conf", "192.168.1.10:51820")):
        text = one.read_text("ascii")
        assert f"Endpoint = {name}\n" in text
        assert one.stat().st_mode & 0o777 == 0o600
        drawn = picture.with_name(one.stem + ".png")
        read = subprocess.run(["zbarimg", "--quiet", "--raw", drawn], capture_output=True, text=True, check=True)
        assert read.stdout.strip() == text.strip()
    private = re.search(r"PrivateKey = (\S+)", file.read_text("ascii"))
    assert private is not None
    assert public_key_of(private[1]) == box.devices()["Codes"]["public_key"]
    everywhere = [path for path in box.root.rglob("*") if path.is_file()]
    assert len(everywhere) > 10
    assert [path for path in everywhere if private[1].encode() in path.read_bytes()] == []


def test_where_no_file_can_be_written_nobody_is_let_in(box: TunnelledBox, tmp_path: Path) -> None:
    there = tmp_path / "there.conf"
    there.write_text("mine")
    places = {
        "--out": ["/dev/null/x.conf", "/proc/x.conf", tmp_path / "missing/x.conf", there], "--qr": ["/dev/null/x.png"],
        "--profile": ["/dev/null/x.mobileconfig"],
    }  # fmt: skip
    before = set(box.devices())
    add = ("device", "add", "--person", OWNER, "--name", "Sans fichier", "--no-wait", "--out")
    for option, files in places.items():
        for file in files:
            said = box.command(*add, str(tmp_path / "first.conf"), option, str(file), code=6)
            assert f"{file} cannot be written" in said and "directory of yours" in said
            assert set(box.devices()) == before and not (tmp_path / "first.conf").exists()
    assert there.read_text() == "mine"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk on which a file can be made, and not a byte can be written."""
    place = tmp_path / "small"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", place], capture_output=True).returncode:
        pytest.skip("a small file system cannot be mounted here")
    (place / "all").write_bytes(bytes(4096))
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_device_whose_file_did_not_find_room_is_out_again(box: TunnelledBox, tmp_path: Path, small: Path) -> None:
    before = set(box.devices())
    add = ("device", "add", "--person", OWNER, "--name", "Disque plein", "--no-wait", "--qr", str(tmp_path / "x.png"))
    said = box.command(*add, "--out", str(small / "x.conf"), code=6)
    assert "x.conf cannot be written: No space left" in said and "nobody was let in" in said
    assert set(box.devices()) == before
    let_in_now = sum(row["state"] in ("invited", "active") for row in box.devices().values())
    assert f'"peers": {let_in_now},' in [line for line in box.log.read_text().splitlines() if '"applied"' in line][-1]
    assert not (tmp_path / "x.png").exists() and not (small / "x.conf").exists()


def sheets(box: TunnelledBox) -> list[str]:
    """Return the public keys of the recovery sheets' tunnels that lead somewhere."""
    rows = json.loads(box.command("device", "list", "--json"))
    return [row["public_key"] for row in rows if row["reach"] == "recovery"]


def test_the_sheet_in_the_safe_is_good_until_the_next_one_is_written(
    box: TunnelledBox, tmp_path: Path, small: Path
) -> None:
    box.command("device", "recovery", "--out", str(tmp_path / "first.txt"))
    first = sheets(box)
    assert len(first) == 1
    for file in ("/dev/null/x.txt", "/proc/x.pdf", small / "x.txt", tmp_path / "first.txt"):
        assert f"{file} cannot be written" in box.command("device", "recovery", "--out", str(file), code=6)
        assert sheets(box) == first, file
    box.command("device", "recovery", "--out", str(tmp_path / "second.txt"))
    assert len(sheets(box)) == 1 and sheets(box) != first
    private = re.search(r"PrivateKey = (\S+)", (tmp_path / "second.txt").read_text())
    assert private is not None and [public_key_of(private[1])] == sheets(box)


def test_a_key_made_on_the_device_stays_there_and_has_one_owner(box: TunnelledBox, tmp_path: Path) -> None:
    public, file = public_key_of(new_private_key()), tmp_path / "own.conf"
    box.invite(OWNER, "Own key", "--public-key", public, "--out", str(file))
    assert "PrivateKey = OWN-PRIVATE-KEY\n" in file.read_text("ascii")
    add = ("device", "add", "--person", DOCTOR, "--name", "Thief", "--public-key")
    assert "belongs to another device already (Own key)" in box.command(*add, public, code=2)
    assert "44 characters" in box.command(*add, "AAAA", code=2)
    assert "Thief" not in box.devices()


def test_the_command_follows_the_invitation_until_the_device_is_seen(box: TunnelledBox) -> None:
    said_at: list[str] = []
    waiting = threading.Thread(
        target=lambda: said_at.append(box.command("device", "add", "--person", OWNER, "--name", "Suivi"))
    )
    waiting.start()
    wait_for(lambda: "Suivi" in box.devices(), 20)
    with box.at(box.devices()["Suivi"]["ipv4"]) as browser:
        browser.get("/api/session/device")
    waiting.join(20)
    assert "Suivi was seen" in said_at[0]
    assert "█" in said_at[0]


def test_an_invitation_that_nobody_took_is_over(box: TunnelledBox) -> None:
    told = box.invite(OWNER, "Trop tard")
    set_row(box, told["device"], "invitation_ends", "2026-01-01T00:00:00.000Z")
    with box.at(told["ipv4"]) as browser:
        assert browser.get("/api/session/device").status_code == 401
    wait_for(lambda: "Trop tard" not in box.devices(), 30)
    assert said(box, "keyagent:device:expired", told["device"]) == 1


def set_row(box: TunnelledBox, device: str, field: str, value: str) -> None:
    file = SystemFile(box.state / "system.db")
    Devices(file).change(device, lambda row: setattr(row, field, value))
    file.close()
    time.sleep(0.6)  # What was believed of an address is forgotten after half a second.


# --- who is let in -------------------------------------------------------------------------------------------------


def test_a_second_claim_is_refused_and_alarms(box: TunnelledBox, desk: httpx.Client) -> None:
    device, browser = let_in(box, OWNER, "Deux fois")
    with box.at(address_of(box, device)) as second:
        assert claim_state(second) == "other"
        assert second.post("/api/claim").status_code == 403
        assert "negato_browser" not in second.cookies
        assert log_in(second, OWNER, PASSPHRASE, 401).json()["error"] == "not_claimed"
        log_in(browser, OWNER, PASSPHRASE)
    assert box.devices()["Deux fois"]["suspicious"]
    assert said(box, "keyagent:device:claim_refused", device) == 1
    assert said(box, "keyagent:device:other_browser", device) == 1
    assert "ALARM" in box.command("device", "list")


def test_a_browser_is_good_on_its_own_device_and_for_its_own_person(box: TunnelledBox, desk: httpx.Client) -> None:
    _, browser = let_in(box, OWNER, "Un")
    other, _ = let_in(box, OWNER, "Autre")
    log_in(browser, DOCTOR, SECRET, 401)
    log_in(browser, OWNER, PASSPHRASE)
    with box.at(address_of(box, other)) as moved:
        moved.cookies.update(browser.cookies)
        moved.cookies.set("negato_browser", secret_of(browser), path="/api/session")
        assert moved.get("/api/devices").status_code == 401
        log_in(moved, OWNER, PASSPHRASE, 401)
    with box.client() as at_home:
        at_home.cookies.set("negato_session", str(browser.cookies["negato_session"]))
        assert at_home.get("/api/devices").status_code == 401
    assert browser.get("/api/devices").status_code == 200
    browser.close()


def test_a_session_of_the_box_itself_is_no_session_in_the_tunnel(box: TunnelledBox, desk: httpx.Client) -> None:
    told = box.invite(OWNER, "Sans clé")
    with box.at(told["ipv4"]) as browser:
        browser.cookies.set("negato_session", str(desk.cookies["negato_session"]))
        assert browser.get("/api/session/device").json()["claim"] == "open"
        assert browser.get("/api/devices").status_code == 401


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded"])
def test_no_header_says_from_where_somebody_asks(box: TunnelledBox, desk: httpx.Client, header: str) -> None:
    box.invite(OWNER, f"Sert {header}")
    address = box.tunnel_address()
    stranger = ".".join([*address.split(".")[:3], "250"])
    with box.at(stranger) as browser:
        for claimed in ("127.0.0.1", "for=127.0.0.1"):
            assert browser.get("/api/status", headers={header: claimed}).status_code == 401
            assert browser.get("/", headers={header: claimed}).status_code == 401


def test_the_secret_is_renewed_at_every_login_and_a_lost_answer_locks_nobody_out(
    box: TunnelledBox, desk: httpx.Client
) -> None:
    _, browser = let_in(box, OWNER, "Renouvelé")
    first = secret_of(browser)
    log_in(browser, OWNER, PASSPHRASE)
    second = secret_of(browser)
    assert second != first
    browser.cookies.delete("negato_browser", domain=box.tunnel_address(), path="/api/session")
    browser.cookies.set("negato_browser", first, domain=box.tunnel_address(), path="/api/session")
    log_in(browser, OWNER, PASSPHRASE)  # The answer with the second one never came.
    third = secret_of(browser)
    log_in(browser, OWNER, PASSPHRASE)
    browser.cookies.clear()
    browser.cookies.set("negato_browser", first, domain=box.tunnel_address(), path="/api/session")
    log_in(browser, OWNER, PASSPHRASE, 401)
    browser.cookies.clear()
    browser.cookies.set("negato_browser", third, domain=box.tunnel_address(), path="/api/session")
    log_in(browser, OWNER, PASSPHRASE)
    browser.close()


def test_after_its_cookies_were_cleared_a_browser_is_let_in_again(box: TunnelledBox, desk: httpx.Client) -> None:
    device, old = let_in(box, OWNER, "Effacé")
    log_in(old, OWNER, PASSPHRASE)
    box.command("device", "reopen", "Effacé")
    assert old.get("/api/devices").status_code == 401
    with box.at(address_of(box, device)) as fresh:
        assert claim_state(fresh) == "open"
        assert fresh.post("/api/claim").status_code == 204
        log_in(fresh, OWNER, PASSPHRASE)
    log_in(old, OWNER, PASSPHRASE, 401)
    old.close()


# --- out -----------------------------------------------------------------------------------------------------------


def test_a_revoked_phone_is_out_and_its_open_page_too(box: TunnelledBox, desk: httpx.Client) -> None:
    device, browser = let_in(box, OWNER, "Perdu")
    log_in(browser, OWNER, PASSPHRASE)
    seen: list[str] = []

    def follow() -> None:
        with browser.stream("GET", "/api/events") as stream:
            seen.extend(line for line in stream.iter_lines() if line.startswith("event:"))

    following = threading.Thread(target=follow)
    following.start()
    wait_for(lambda: seen, 10)
    began = time.monotonic()
    box.command("device", "revoke", "Perdu")
    with box.at(browser_address(browser)) as again:
        assert again.get("/api/devices").status_code == 401
        wait_for(lambda: again.get("/").status_code == 401, 1)
    following.join(5)
    assert not following.is_alive()
    assert time.monotonic() - began < 10
    assert seen[-1] == "event: ended"
    assert "Perdu" not in box.devices()
    assert said(box, "keyagent:device:session_ended", device) == 1
    assert f'"peers": {len(box.devices())}' in box.log.read_text()
    browser.close()


def browser_address(browser: httpx.Client) -> str:
    return str(browser._transport._transport._pool._local_address)  # type: ignore[attr-defined]


def test_a_paused_phone_is_out_until_it_is_resumed(box: TunnelledBox, desk: httpx.Client) -> None:
    _, browser = let_in(box, OWNER, "Pause")
    log_in(browser, OWNER, PASSPHRASE)
    box.command("device", "pause", "Pause")
    wait_for(lambda: browser.get("/api/status").status_code == 401, 2)
    box.command("device", "resume", "Pause")
    wait_for(lambda: browser.get("/api/status").status_code == 200, 2)
    assert browser.get("/api/devices").status_code == 401  # The session ended; the browser is still the claimed one.
    log_in(browser, OWNER, PASSPHRASE)
    assert "cannot be done" in box.command("device", "resume", "Pause", code=4)
    browser.close()


def test_an_expired_phone_is_out(box: TunnelledBox, desk: httpx.Client) -> None:
    device, browser = let_in(box, OWNER, "Prêté")
    log_in(browser, OWNER, PASSPHRASE)
    set_row(box, device, "expires", "2026-01-01T00:00:00.000Z")
    assert browser.get("/api/status").status_code == 401
    wait_for(lambda: "Prêté" not in box.devices(), 30)
    browser.close()


# --- pages' own routes ---------------------------------------------------------------------------------------------


def test_the_owner_adds_and_revokes_by_the_page(box: TunnelledBox, desk: httpx.Client) -> None:
    people = {one["name"]: one["id"] for one in desk.get("/api/people").json()}
    body = {"name": "Par la page", "kind": "phone", "person": people[DOCTOR], "wifi": ["Cabinet"]}
    answer = desk.post("/api/devices", json=body)
    assert answer.status_code == 201, answer.text
    handed = answer.json()
    assert [tunnel["name"] for tunnel in handed["tunnels"]] == ["Dehors", "Cabinet"]
    assert all(tunnel["qr"].startswith("<svg") for tunnel in handed["tunnels"])
    assert "com.wireguard.ios" in handed["profile"]
    assert answer.headers["cache-control"] == "no-store"
    device = handed["device"]["id"]
    listed = {one["name"]: one for one in desk.get("/api/devices").json()["devices"]}
    assert listed["Par la page"]["person_name"] == DOCTOR
    assert "PrivateKey" not in desk.get("/api/devices").text
    assert desk.patch(f"/api/devices/{device}", json={"name": "Renommé"}).status_code == 204
    assert desk.post(f"/api/devices/{device}/act", json={"act": "revoke"}).status_code == 204
    assert "Renommé" not in box.devices()
    owner = people[OWNER]
    by = [line for line in events(box) if line["event"].startswith("keyagent:device:") and line.get("device") == device]
    assert [(line["event"].rpartition(":")[2], line["by"]) for line in by] == [
        ("invite", owner), ("rename", owner), ("revoke", owner)
    ]  # fmt: skip


def test_a_doctor_has_her_own_devices_and_nobody_elses(box: TunnelledBox, desk: httpx.Client) -> None:
    hers, browser = let_in(box, DOCTOR, "Le sien")
    owners, _ = let_in(box, OWNER, "Pas le sien")
    log_in(browser, DOCTOR, SECRET)
    listing = browser.get("/api/devices").json()
    assert listing["all"] is False
    assert {device["person_name"] for device in listing["devices"]} == {DOCTOR}
    assert [one["name"] for one in browser.get("/api/people").json()] == [DOCTOR]
    owner = next(one["id"] for one in desk.get("/api/people").json() if one["name"] == OWNER)
    for_owner = {"name": "x", "kind": "phone", "person": owner}
    assert browser.post("/api/devices", json=for_owner).status_code == 403
    assert browser.post(f"/api/devices/{owners}/act", json={"act": "revoke"}).status_code == 403
    assert browser.patch(f"/api/devices/{owners}", json={"name": "x"}).status_code == 403
    assert browser.get("/api/equipment").status_code == 403
    assert browser.post("/api/equipment", json={"address": "192.168.1.9", "decision": "refuse"}).status_code == 403
    assert browser.post("/api/devices", json={"name": "Son second", "kind": "computer"}).status_code == 201
    assert browser.post(f"/api/devices/{hers}/act", json={"act": "revoke"}).status_code == 204
    browser.close()


def test_a_page_hears_at_once_that_a_device_was_seen(box: TunnelledBox, desk: httpx.Client) -> None:
    told = box.invite(OWNER, "En direct")
    heard: list[str] = []
    ready = threading.Event()

    def follow() -> None:
        with desk.stream("GET", "/api/events") as stream:
            for line in stream.iter_lines():
                ready.set()
                heard.append(line)
                if line == "event: devices":
                    return

    following = threading.Thread(target=follow)
    following.start()
    assert ready.wait(10)
    with box.at(told["ipv4"]) as browser:
        browser.get("/api/session/device")
    following.join(3)
    assert "event: devices" in heard


@pytest.mark.parametrize(
    "body",
    [
        {}, {"name": "x"}, {"name": "x", "kind": "fridge"}, {"name": "x" * 65, "kind": "phone"},
        {"name": "x", "kind": "phone", "days": -1}, {"name": "x", "kind": "phone", "public_key": "AAAA"},
        {"name": "\x07", "kind": "phone"}, {"name": "x", "kind": "phone", "reach": "wizard"},
        {"name": "x", "kind": "phone", "wifi": ["y" * 33]},
    ],
)  # fmt: skip
def test_a_malformed_invitation_lets_nobody_in(box: TunnelledBox, desk: httpx.Client, body: dict[str, object]) -> None:
    before = set(box.devices())
    assert desk.post("/api/devices", json=body).status_code == 400
    assert set(box.devices()) == before


def test_equipment_is_confirmed_and_refused(box: TunnelledBox, desk: httpx.Client) -> None:
    body = {"address": "192.168.1.40", "decision": "confirm", "name": "Panoramique", "ae_title": "PANO1"}
    assert desk.post("/api/equipment", json=body).status_code == 204
    found = desk.get("/api/equipment").json()
    assert [(one["address"], one["state"], one["name"]) for one in found] == [
        ("192.168.1.40", "confirmed", "Panoramique")
    ]
    assert '"senders": 1' in box.log.read_text().splitlines()[-1]
    box.command("equipment", "refuse", "192.168.1.40")
    assert json.loads(box.command("equipment", "list", "--json"))[0]["state"] == "refused"
    assert '"senders": 0' in box.log.read_text().splitlines()[-1]
    for address in ("8.8.8.8", "192.168.1.256", "fe80::1%eth0"):
        assert desk.post("/api/equipment", json=body | {"address": address}).status_code == 400


@pytest.mark.parametrize("by", ["page", "command"])
def test_equipment_that_the_firewall_could_not_be_told_of_is_not_said_to_be_let_in(
    box: TunnelledBox, desk: httpx.Client, by: str
) -> None:
    def decide(decision: str) -> bool:
        if by == "page":
            body = {"address": "192.168.1.77", "decision": decision, "name": "Capteur"}
            return desk.post("/api/equipment", json=body).status_code == 204
        named = ("--name", "Capteur") if decision == "confirm" else ()
        return box.run("equipment", decision, "192.168.1.77", *named, "--state", str(box.state)).returncode == 0

    def state() -> str | None:
        row = next((one for one in desk.get("/api/equipment").json() if one["address"] == "192.168.1.77"), None)
        return row and str(row["state"])

    socket = box.state / "run/netd.sock"
    away = socket.with_name("away.sock")
    before = state()
    socket.rename(away)
    try:
        assert not decide("confirm")
    finally:
        away.rename(socket)
    assert state() == before
    assert decide("confirm") and state() == "confirmed"
    netd = NetdClient(socket)
    let_in = netd.status().applied
    socket.rename(away)
    try:
        assert not decide("refuse")
    finally:
        away.rename(socket)
    assert state() == "refused", "who was refused is not let in again because of a fault"
    wait_for(lambda: netd.status().applied != let_in, 20)  # The firewall is told as soon as it hears again.


@pytest.mark.parametrize(
    ("written", "kept"),
    [("Cabinet.Example.ORG.:51820", "cabinet.example.org:51820"), ("203.0.113.9:51820", "203.0.113.9:51820")],
)
def test_where_the_box_is_found_is_an_address_of_one_machine_or_a_name(
    box: TunnelledBox, written: str, kept: str
) -> None:
    before = box.command("device", "endpoint")
    for wrong in ("0.0.0.0:1", "127.0.0.1:51820", "[::1]:51820", "224.0.0.1:1", "0x7f.0.0.1:1", "[::ffff:1.2.3.4]:1"):
        done = box.run("device", "endpoint", "--outside", wrong, "--state", str(box.state))
        assert done.returncode == 2 and b"For example" in done.stderr, done.stderr
    assert box.command("device", "endpoint") == before
    try:
        assert f"outside: {kept}" in box.command("device", "endpoint", "--outside", written)
    finally:
        box.command("device", "endpoint", "--outside", "box.example.org:51820")


@pytest.mark.parametrize(
    "name", ["\u3164", "\u2800\u2800", "\u115f", "\uffa0", "\u0301", "Dr\u3164Essai", "a\ufe0f", "\u200b"]
)
def test_a_name_that_shows_as_nothing_or_as_another_is_refused(
    box: TunnelledBox, desk: httpx.Client, name: str
) -> None:
    before = set(box.devices())
    device = box.run("device", "add", "--person", OWNER, "--name", name, "--no-wait", "--state", str(box.state))
    assert device.returncode == 2 and b"A name needs" in device.stderr, device.stderr
    some = let_in(box, OWNER, "Sans nom")[0]
    assert desk.post(f"/api/devices/{some}/act", json={"act": "rename", "name": name}).status_code == 400
    assert desk.post(f"/api/devices/{some}/act", json={"act": "revoke"}).status_code == 204
    assert set(box.devices()) == before


@pytest.mark.parametrize("command", ["add", "recovery"])
def test_a_file_that_cannot_be_written_lets_no_device_in(box: TunnelledBox, command: str) -> None:
    before = set(box.devices())
    options = ("--person", OWNER, "--name", "Nowhere", "--no-wait") if command == "add" else ()
    suffix = ".conf" if command == "add" else ".txt"
    for place in ("/dev/null", "/nowhere", str(box.password_file)):
        out = f"{place}/x{suffix}"
        done = box.run("device", command, *options, "--out", out, "--state", str(box.state))
        assert done.returncode == 6 and b"cannot be written" in done.stderr, done.stderr
    assert set(box.devices()) == before


# --- a password and a device ---------------------------------------------------------------------------------------


def test_a_shorter_password_works_on_claimed_devices_alone(box: TunnelledBox, desk: httpx.Client) -> None:
    """Half of what opens the slot is in her head, half in her devices; a stolen box has neither."""
    _, browser = let_in(box, DOCTOR, "Moitié")
    log_in(browser, DOCTOR, SECRET)
    weak = browser.post("/api/session/password", json={"passphrase": SECRET, "password": "soleil2024"})
    assert weak.status_code == 400
    wrong = browser.post("/api/session/password", json={"passphrase": SECRET + "x", "password": SHORT})
    assert wrong.status_code == 403
    done = browser.post("/api/session/password", json={"passphrase": SECRET, "password": SHORT})
    assert done.status_code == 204, done.text
    slot = json.loads((box.state / f"keys/slots/{id_of(box, DOCTOR)}.json").read_text())
    assert slot["header"]["needs_possession"] is True
    with box.client() as at_home:
        log_in(at_home, DOCTOR, SHORT, 401)
        log_in(at_home, DOCTOR, SECRET, 401)
    for _ in range(3):
        log_in(browser, DOCTOR, SHORT)
    log_in(browser, DOCTOR, SECRET, 401)

    second = box.invite(DOCTOR, "Moitié 2")
    with box.at(second["ipv4"]) as other:
        assert other.get("/api/session/device").json()["approval"] is True
        log_in(browser, DOCTOR, SHORT)
        code = browser.post("/api/session/approval").json()["code"]
        wrong_code = f"{(int(code) + 1) % 10**8:08d}"
        assert other.post("/api/claim", json={"password": SHORT, "code": wrong_code}).status_code == 403
        assert other.post("/api/claim", json={"password": SHORT, "code": code}).status_code == 204
        log_in(other, DOCTOR, SHORT)
        assert not box.devices()["Moitié 2"]["suspicious"]
        box.command("device", "revoke", "Moitié")
        log_in(other, DOCTOR, SHORT)
        wraps = json.loads((box.state / f"keys/slots/{id_of(box, DOCTOR)}.devices").read_text())
        assert list(wraps["devices"]) == [second["device"]]
    browser.close()


def id_of(box: TunnelledBox, name: str) -> str:
    return next(row["id"] for row in json.loads(box.command("user", "list", "--json")) if row["name"] == name)


def test_an_owner_keeps_a_passphrase(box: TunnelledBox, desk: httpx.Client) -> None:
    _, browser = let_in(box, OWNER, "Reste long")
    log_in(browser, OWNER, PASSPHRASE)
    body = {"passphrase": PASSPHRASE, "password": SHORT}
    assert browser.post("/api/session/password", json=body).status_code == 403
    assert desk.post("/api/session/password", json=body).status_code == 403
    assert browser.post("/api/session/approval").status_code == 403
    browser.close()


# --- trouble -------------------------------------------------------------------------------------------------------


def test_without_netd_a_command_says_what_to_do_and_invites_nobody(tmp_path: Path) -> None:
    idle = Box(tmp_path)
    idle.init()
    add = ["device", "add", "--person", OWNER, "--name", "x", "--state", str(idle.state)]
    done = idle.run(*add)
    assert done.returncode == 6
    assert b"netd cannot be reached" in done.stderr
    listed = idle.run("device", "list", "--json", "--state", str(idle.state))
    assert json.loads(listed.stdout) == []
    assert idle.run("device", "revoke", "x", "--state", str(idle.state)).returncode == 2


def test_a_killed_netd_comes_back_with_its_network(box: TunnelledBox, desk: httpx.Client) -> None:
    """The stand-in forgets at its end; what was wanted is asked for again."""
    peers = len([row for row in box.devices().values() if row["state"] in ("invited", "active")])
    assert peers
    before = box.log.read_text().count('"applied"')
    os.kill(box.children()["netd"], signal.SIGKILL)
    wait_for(lambda: box.log.read_text().count('"applied"') > before, 30)
    assert f'"peers": {peers}' in [line for line in box.log.read_text().splitlines() if '"applied"' in line][-1]


def test_an_address_of_the_tunnel_is_no_equipment_and_holds_back_no_revocation(
    box: TunnelledBox, desk: httpx.Client
) -> None:
    device, _ = let_in(box, OWNER, "Vient et part")
    inside = address_of(box, device)
    before = {row["address"] for row in desk.get("/api/equipment").json()}
    for address in (inside, inside.rpartition(".")[0] + ".250"):
        answer = desk.post("/api/equipment", json={"address": address, "decision": "confirm", "name": "Capteur"})
        assert answer.status_code == 400 and "tunnel" in answer.json()["message"], answer.text
        assert "router" in answer.json()["next_step"]
    assert {row["address"] for row in desk.get("/api/equipment").json()} == before
    assert desk.post(f"/api/devices/{device}/act", json={"act": "revoke"}).status_code == 204


@pytest.mark.parametrize("name", ["\ud800", "\x07", "", "x" * 33])
def test_a_wifi_name_that_none_can_have_is_refused_as_such(desk: httpx.Client, name: str) -> None:
    body = json.dumps({"name": "Avec Wi-Fi", "kind": "phone", "wifi": [name]})
    answer = desk.post("/api/devices", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]) == (400, "bad_input"), answer.text
