"""A doctor's phone on 4G: from the invitation to the list of studies, and out again, the new phone after it."""

from __future__ import annotations

import base64
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.box import OWNER, PASSPHRASE, wait_for
from tests.browser.chromium import PHONE
from tests.lab.conftest import Practice
from tests.lab.machines import Download, Wire, chromium_in, store
from tests.lab.places import BOX4, SENSOR4
from tests.netd.box import probe


@pytest.fixture(scope="module")
def browser(practice: Practice) -> Iterator[Browser]:
    """Chromium on the phone."""
    with chromium_in(practice.places.phone, practice.folder) as started:
        yield started


def log_in(page: Page) -> None:
    page.fill("input[name=user]", OWNER)
    page.fill("input[name=password]", PASSPHRASE)
    page.keyboard.press("Enter")
    page.wait_for_selector("input[type=search]")


def let_in(practice: Practice, page: Page) -> None:
    """Open the first page of the tunnel, have the browser let in, log in."""
    page.goto(f"http://{practice.box.address()}/")
    page.click("button:has-text('Admettre ce navigateur')")
    page.wait_for_selector("input[name=user]")
    log_in(page)


def test_from_device_add_to_the_list_of_studies_on_the_phone(practice: Practice, browser: Browser) -> None:
    practice.box.command("equipment", "confirm", SENSOR4, "--name", "Scanner")
    assert store(practice.places.sensor).returncode == 0
    began = time.monotonic()
    told, outside, inside = practice.box.invite(OWNER, "Téléphone", practice.folder)
    assert "Endpoint = 203.0.120.2:51820" in outside and f"Endpoint = {BOX4}:51820" in inside
    practice.app.on(outside)
    assert told["url"] == f"http://{practice.box.address()}/"
    with browser.new_context(locale="fr-FR", **PHONE) as context:
        page = context.new_page()
        let_in(practice, page)
        expect(page.get_by_role("link", name="CompressedSamples CT1")).to_be_visible(timeout=20_000)
        if folder := os.environ.get("SCREENSHOTS"):
            page.screenshot(path=Path(folder) / "phone-in-the-tunnel.png")
        print(f"{time.monotonic() - began:.1f} s from device add to the list of studies")
    wait_for(lambda: practice.box.devices()["Téléphone"]["state"] == "active", 5)


def test_another_phone_with_the_same_code_is_refused_and_alarms(practice: Practice, browser: Browser) -> None:
    with browser.new_context(locale="fr-FR", **PHONE) as context:
        page = context.new_page()
        page.goto(f"http://{practice.box.address()}/")
        expect(page.locator("h1")).to_have_text("Ce navigateur n’est pas admis")
    with practice.box.client_in(practice.places.phone, f"http://{practice.box.address()}") as second:
        assert second.post("/api/claim").status_code == 403
    assert practice.box.devices()["Téléphone"]["suspicious"] is True
    practice.box.command("device", "reopen", "Téléphone")


def test_a_key_that_the_browser_made_never_crosses_the_wire(practice: Practice, browser: Browser) -> None:
    wire = Wire(practice.places.phone, "dehors")
    with browser.new_context(locale="fr-FR", accept_downloads=True, **PHONE) as context:
        page = context.new_page()
        let_in(practice, page)
        page.goto(f"http://{practice.box.address()}/#/devices")
        page.click("button:has-text('Ajouter un appareil')")
        page.fill("#new-name", "Tablette")
        page.click("button:has-text('Afficher le code')")
        page.wait_for_selector("[data-testid=qr]")
        with page.expect_download() as waiting:
            page.click("button:has-text('Fichier WireGuard')")
        text = Path(waiting.value.path()).read_text("ascii")
        seen = wire.end()
        found = re.search(r"PrivateKey = (\S+)", text)
        assert found is not None
        private = base64.b64decode(found[1])
        public = practice.box.devices()["Tablette"]["public_key"]
        assert public.encode() in seen and b"PresharedKey" in seen, "the capture misses what did cross"
        require_not_in(seen, private)
        # A page that gives the key away, as it is or otherwise written.
        for form in (found[1], private.hex()):
            wire = Wire(practice.places.phone, "dehors")
            page.evaluate("text => fetch('/api/claim', {method: 'POST', body: text})", form)
            with pytest.raises(AssertionError, match="crossed"):
                require_not_in(wire.end(), private)
    practice.box.command("device", "revoke", "Tablette")
    practice.box.command("device", "reopen", "Téléphone")


def require_not_in(seen: bytes, private: bytes) -> None:
    """Fail when a key is in what crossed the wire, in any form that a page would send it in."""
    text = base64.b64encode(private)
    for form in (private, text, private.hex().encode(), text.rstrip(b"=")):
        assert form not in seen, "the key crossed the wire"


def test_devices_come_and_go_while_the_phone_downloads(practice: Practice) -> None:
    download = Download(practice.places.phone, practice.box.address())
    download.more()
    for number in range(4):
        practice.box.invite(OWNER, f"Autre {number}", practice.folder)
        download.more(1)
    for number in range(4):
        practice.box.command("device", "revoke", f"Autre {number}")
        download.more(1)
    print(f"{len(download.times)} answers, the longest pause {require_untouched(download):.2f} s")
    # The same check of a tunnel that is taken down and up for a change, as some tools do it.
    download = Download(practice.places.phone, practice.box.address())
    download.more()
    with practice.box.stopped("netd"):  # It would put the interface up again at once.
        practice.box.space.run("ip", "link", "set", "negato0", "down")
        time.sleep(1.2)
        practice.box.space.run("ip", "link", "set", "negato0", "up")
    download.more()
    with pytest.raises(AssertionError, match="paused"):
        require_untouched(download)


def require_untouched(download: Download) -> float:
    """Fail if a download paused for a second; return its longest pause in seconds."""
    download.end()
    pause = download.longest_pause()
    assert pause < 1.0, f"the download paused for {pause:.1f} s"
    return pause


@pytest.fixture
def session(practice: Practice) -> Iterator[httpx.Client]:
    """A browser on the phone that is let in and logged in."""
    with practice.box.client_in(practice.places.phone, f"http://{practice.box.address()}") as client:
        assert client.post("/api/claim").status_code == 204
        answer = client.post("/api/session", json={"user": OWNER, "password": PASSPHRASE})
        assert answer.status_code == 200, answer.text
        assert client.get("/dicom-web/studies").status_code == 200
        yield client


def require_out(practice: Practice, session: httpx.Client, act: Callable[[], object]) -> float:
    """Fail unless ``act`` lets the phone out within a second: no packet answered, no session; return how long it took.

    The session is asked for from the box itself, where the tunnel's end would not hide that it lives on.
    """
    download = Download(practice.places.phone, practice.box.address())
    download.more()
    began = time.monotonic()
    act()
    seconds = download.end(2) - began
    assert seconds < 1, "the phone is still answered"
    assert probe(practice.places.phone, (practice.box.address(), 80)) == ["silent"]
    with practice.box.client() as here:
        here.cookies.update(dict(session.cookies))
        assert here.get("/dicom-web/studies").status_code in (401, 423)
    return seconds


def test_a_revoked_phone_is_out_within_a_second(practice: Practice, session: httpx.Client) -> None:
    with practice.box.login() as owner:
        device = practice.box.devices()["Téléphone"]["id"]

        def rename() -> None:
            assert owner.patch(f"/api/devices/{device}", json={"name": "Téléphone"}).status_code == 204

        def revoke() -> None:
            assert owner.post(f"/api/devices/{device}/act", json={"act": "revoke"}).status_code == 204

        with pytest.raises(AssertionError, match="still answered"):  # A revocation that does nothing.
            require_out(practice, session, rename)
        seconds = require_out(practice, session, revoke)
        print(f"the last packet was answered {seconds:.2f} s after the revocation was asked for")


def test_the_only_phone_lost_and_the_box_locked_the_owner_is_back_with_kit_and_passphrase(
    practice: Practice, browser: Browser
) -> None:
    _, lost, _ = practice.box.invite(OWNER, "Perdu", practice.folder)
    practice.app.on(lost, "perdu")
    with browser.new_context(locale="fr-FR", **PHONE) as context:
        let_in(practice, context.new_page())
    sheet = practice.folder / "sheet.txt"
    practice.box.command("device", "recovery", "--out", str(sheet))
    practice.box.lock()
    emergency = re.search(r"\[Interface\].*?Endpoint = \S+\n", sheet.read_text("utf-8"), re.DOTALL)
    paper = re.search(r"AGE-SECRET-KEY-1\S+", practice.box.kit.read_text("utf-8"))
    assert emergency is not None and paper is not None
    practice.app.on(emergency[0], "feuille")
    with browser.new_context(locale="fr-FR", accept_downloads=True, **PHONE) as context:
        page = context.new_page()
        page.goto(f"http://{practice.box.address()}/")
        expect(page.locator("h1")).to_have_text("Reprendre la main")
        page.fill("#paper", paper[0])
        page.click("button:has-text('Continuer')")
        page.fill("#recovery-name", "Neuf")
        page.check("label:has-text('Perdu') input")
        page.click("button:has-text('Admettre ce téléphone')")
        page.wait_for_selector("[data-testid=qr]")
        page.click("[role=tab]:has-text('Dehors')")
        with page.expect_download() as waiting:
            page.click("button:has-text('Fichier WireGuard')")
        fresh = Path(waiting.value.path()).read_text("ascii")
    practice.app.on(fresh, "neuf")
    with browser.new_context(locale="fr-FR", **PHONE) as context:
        let_in(practice, context.new_page())
    assert "Perdu" not in practice.box.devices()
    practice.app.on(lost, "perdu")
    assert probe(practice.places.phone, (practice.box.address(), 80)) == ["silent"]
    practice.app.off()
