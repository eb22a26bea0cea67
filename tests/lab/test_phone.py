"""A doctor's phone on 4G: from the invitation to the list of studies, and out again, the new phone after it.

Each check is made again where something was broken on purpose, and fails.
"""

from __future__ import annotations

import base64
import os
import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from playwright.sync_api import Error as PlaywrightError

from appliance.errors import NotLoggedIn, Refused
from appliance.keyring.client import AgentClient
from appliance.paths import RunPaths
from tests.box import OWNER, PASSPHRASE, wait_for
from tests.browser.chromium import PHONE
from tests.inside import Inside
from tests.lab.conftest import Practice
from tests.lab.machines import Download, Wire, chromium_in, store
from tests.lab.places import SENSOR4
from tests.netd.box import probe


@pytest.fixture(scope="module")
def browser(practice: Practice) -> Iterator[Browser]:
    """Chromium on the phone."""
    with chromium_in(practice.places.phone, practice.folder) as started:
        yield started


def reopen(practice: Practice) -> None:
    """Let another browser be claimed; the session that this ends was the last one, so agent and pages start afresh."""
    before = practice.box.children()
    practice.box.command("device", "reopen", "Téléphone")
    ending = ("web", "keyagent")
    wait_for(lambda: all(practice.box.children().get(name, before[name]) != before[name] for name in ending), 20)


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


def require_list(practice: Practice, browser: Browser, name: str, patience: float = 20) -> None:
    """Fail unless what a camera reads after ``device add`` leads a browser on the phone to the list of studies."""
    told, outside, _ = practice.box.invite(OWNER, name, practice.folder)
    practice.app.on(outside)
    with browser.new_context(locale="fr-FR", **PHONE) as context:
        page = context.new_page()
        try:
            page.goto(told["url"], timeout=patience * 1000)
        except PlaywrightError as error:
            raise AssertionError(f"the first page is not reached: {error.message}") from error
        let_in(practice, page)
        expect(page.get_by_role("link", name="CompressedSamples CT1")).to_be_visible(timeout=patience * 1000)
        if folder := os.environ.get("SCREENSHOTS"):
            page.screenshot(path=Path(folder) / "phone-in-the-tunnel.png")
    wait_for(lambda: practice.box.devices()[name]["state"] == "active", 5)


# What the code carries wrongly, made wrong where ``device add`` makes it.
WRONG = {
    "another key of the box": "text.replace(tunnel.server_public_key, tunnel.preshared_key)",
    "another key of the phone": "text.replace(tunnel.private_key, tunnel.preshared_key)",
    "another port of the box": "text.replace(':51820', ':51821')",
}


@pytest.mark.parametrize("what", WRONG)
def test_a_code_with_something_else_leads_to_no_list(practice: Practice, browser: Browser, what: str) -> None:
    code = "from appliance.enrol import handed\nright = handed.client_config\ndef wrong(tunnel):\n"
    code += f"    text = right(tunnel)\n    return {WRONG[what]}\nhanded.client_config = wrong"
    with practice.box.broken_command("device", code), pytest.raises(AssertionError, match=r"not reached: .*Timeout"):
        require_list(practice, browser, what, patience=3)


def test_from_device_add_to_the_list_of_studies_on_the_phone(practice: Practice, browser: Browser) -> None:
    practice.box.command("equipment", "confirm", SENSOR4, "--name", "Scanner")
    assert store(practice.places.sensor).returncode == 0
    began = time.monotonic()
    require_list(practice, browser, "Téléphone")
    print(f"{time.monotonic() - began:.1f} s from device add to the list of studies")


def test_another_phone_with_the_same_code_is_refused_and_alarms(practice: Practice, browser: Browser) -> None:
    with browser.new_context(locale="fr-FR", **PHONE) as context:
        page = context.new_page()
        page.goto(f"http://{practice.box.address()}/")
        expect(page.locator("h1")).to_have_text("Ce navigateur n’est pas admis")
    with practice.box.client_in(practice.places.phone, f"http://{practice.box.address()}") as second:
        assert second.post("/api/claim").status_code == 403
    assert practice.box.devices()["Téléphone"]["suspicious"] is True
    reopen(practice)


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
    reopen(practice)


def require_not_in(seen: bytes, private: bytes) -> None:
    """Fail when a key is in what crossed the wire, in any form that a page would send it in."""
    text = base64.b64encode(private)
    for form in (private, text, private.hex().encode(), text.rstrip(b"=")):
        assert form not in seen, "the key crossed the wire"


def test_devices_come_and_go_while_the_phone_downloads(practice: Practice) -> None:
    with practice.box.login() as owner:
        download = Download(practice.places.phone, practice.box.address())
        download.more()
        others = []
        for number in range(4):
            answer = owner.post("/api/devices", json={"name": f"Autre {number}", "kind": "phone"})
            assert answer.status_code == 201
            others.append(answer.json()["device"]["id"])
            download.more(1)
        for other in others:
            assert owner.post(f"/api/devices/{other}/act", json={"act": "revoke"}).status_code == 204
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


def require_out(practice: Practice, phone: str, session: httpx.Client, act: Callable[[], object]) -> float:
    """Fail unless ``act`` lets the phone out within a second: no packet answered, 401 for its open page, no session;
    return how long it took. ``phone`` is its address in the tunnel."""
    download = Download(practice.places.phone, practice.box.address())
    download.more()
    began = time.monotonic()
    act()
    seconds = download.end(1.2) - began
    assert seconds < 1, "the phone is still answered"
    assert probe(practice.places.phone, (practice.box.address(), 80)) == ["silent"]
    require_page_out(practice, phone, session)
    return seconds


def require_page_out(practice: Practice, phone: str, session: httpx.Client) -> None:
    """Fail unless an open page of the phone is answered 401, and the key agent has ended its session.

    It asks from the phone's own address, on the box itself: the tunnel's end would hide that it is still let in, and
    from any other address the cookie is nobody's.
    """
    space = practice.box.space
    space.run("ip", "address", "add", f"{phone}/32", "dev", "lo")
    try:
        inside = Inside(Path(f"/proc/{space.holder.pid}/ns/net"), phone)
        with httpx.Client(base_url=session.base_url, transport=inside, cookies=session.cookies, timeout=10) as page:
            answered = page.get("/dicom-web/studies").status_code
    finally:
        space.run("ip", "address", "delete", f"{phone}/32", "dev", "lo")
    assert answered == 401, f"an open page is answered {answered}"
    # The agent tells nobody but the pages of a session that lives on, and everybody of one that does not.
    with pytest.raises(Refused) as told:
        AgentClient(RunPaths(practice.box.state / "run").keyagent).peek(session.cookies["negato_session"])
    assert isinstance(told.value, NotLoggedIn), "the session lives on"


# ``device pause`` and ``device revoke`` end the tunnel, and no session.
NO_END = "from appliance.cli.enrolment import CliHand; CliHand.end_device = lambda *_: None"


def test_a_revoked_phone_is_out_within_a_second(practice: Practice, session: httpx.Client) -> None:
    box = practice.box
    device = box.devices()["Téléphone"]
    out = partial(require_out, practice, device["ipv4"], session)
    with box.login() as owner:

        def rename() -> None:
            assert owner.patch(f"/api/devices/{device['id']}", json={"name": "Téléphone"}).status_code == 204

        def revoke() -> None:
            assert owner.post(f"/api/devices/{device['id']}/act", json={"act": "revoke"}).status_code == 204

        with pytest.raises(AssertionError, match="still answered"):  # A revocation that does nothing.
            out(rename)
        remove = ("wg", "set", "negato0", "peer", device["public_key"], "remove")
        with box.stopped("netd"), pytest.raises(AssertionError, match="open page is answered 200"):  # The tunnel alone.
            out(lambda: box.space.run(*remove))
        box.renew("netd")
        practice.app.again()
        with box.broken_command("device", NO_END):
            box.command("device", "pause", "Téléphone")
        with pytest.raises(AssertionError, match="session lives on"):
            require_page_out(practice, device["ipv4"], session)
        box.command("device", "resume", "Téléphone")
        practice.app.again()
        seconds = out(revoke)
        print(f"the last packet was answered {seconds:.2f} s after the revocation was asked for")


def require_lost_is_out(practice: Practice, lost: str) -> None:
    """Fail when the phone that was lost is still answered."""
    practice.app.on(lost, "perdu")
    assert probe(practice.places.phone, (practice.box.address(), 80)) == ["silent"], "the lost phone is still in"


def recover_without_a_word_of_the_lost(practice: Practice, paper: str) -> None:
    """Do what the recovery page does, and put nobody out."""
    with practice.box.client_in(practice.places.phone, f"http://{practice.box.address()}") as page:
        found = page.post("/api/recovery", json={"paper": paper}).json()
        assert "Perdu" in {one["name"] for one in found["devices"]}
        wish = {"token": found["token"], "person": found["owners"][0]["id"], "name": "Essai", "kind": "phone"}
        assert page.post("/api/recovery/device", json=wish).status_code == 201


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
    recover_without_a_word_of_the_lost(practice, paper[0])
    with pytest.raises(AssertionError, match="still in"):
        require_lost_is_out(practice, lost)
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
    require_lost_is_out(practice, lost)
    practice.app.off()
