"""The pages of devices in a real Chromium: a phone by QR code, claimed and put out; new equipment confirmed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect, sync_playwright

from appliance.network.netd_wire import UnknownSender
from appliance.sealing.tunnel_keys import public_key_of
from tests.box import OWNER, PASSPHRASE, wait_for
from tests.browser.accessible import require_accessible
from tests.browser.chromium import DESKTOP, OPTIONS, PHONE, PROGRAM
from tests.netd_simulator import NetdSimulator
from tests.tunnelled import TunnelledBox, tunnelled


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TunnelledBox]:
    with tunnelled(tmp_path_factory.mktemp("pages"), simulated=True) as started:
        yield started


@pytest.fixture(scope="module")
def netd(box: TunnelledBox) -> NetdSimulator:
    assert box.netd is not None
    return box.netd


@pytest.fixture(scope="module")
def browser(box: TunnelledBox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A Chromium in the box's namespace."""
    program = tmp_path_factory.mktemp("bin") / "chromium"
    program.write_text(f'#!/bin/sh\nexec ip netns exec {box.namespace} {PROGRAM} "$@"\n')
    program.chmod(0o755)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=OPTIONS)
        try:
            yield started
        finally:
            started.close()


def enter(page: Page, box: TunnelledBox, where: str = "") -> None:
    page.goto(f"{where or box.url}/#/devices")
    log_in(page)


def log_in(page: Page) -> None:
    page.fill("input[name=user]", OWNER)
    page.fill("input[name=password]", PASSPHRASE)
    page.keyboard.press("Enter")


@pytest.fixture
def owner(box: TunnelledBox, browser: Browser) -> Iterator[Page]:
    """The owner at the box itself, at her devices, in French."""
    with browser.new_context(locale="fr-FR", accept_downloads=True, **DESKTOP) as context:
        page = context.new_page()
        enter(page, box)
        page.wait_for_selector("h1:has-text('Appareils')")
        yield page


@pytest.fixture
def phone(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context(locale="en-GB", **PHONE) as context:
        yield context


def add(page: Page, name: str) -> None:
    page.click("button:has-text('Ajouter un appareil')")
    page.fill("#new-name", name)
    page.click("button:has-text('Afficher le code')")
    page.wait_for_selector("[data-testid=qr]")


def read_code(page: Page, file: Path) -> str:
    """Return what a camera reads of the code on the screen."""
    page.locator("[data-testid=qr]").screenshot(path=file)
    done = subprocess.run(["zbarimg", "--quiet", "--raw", file], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def field(text: str, name: str) -> str:
    found = re.search(rf"^{name} = (.*)$", text, re.MULTILINE)
    assert found is not None
    return found[1]


def picture(page: Page, name: str) -> None:
    """Keep a picture where one is asked for, to be looked at."""
    if folder := os.environ.get("SCREENSHOTS_DEVICES"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def test_a_phone_comes_in_by_the_code_on_the_screen_and_goes_out(
    box: TunnelledBox, netd: NetdSimulator, owner: Page, phone: BrowserContext, tmp_path: Path
) -> None:
    sent: list[str] = []

    def keep(request: Request) -> None:
        sent.append(f"{request.url} {request.headers} {request.post_data}")

    owner.on("request", keep)
    answers: list[str] = []
    owner.on("response", lambda answer: answers.append(answer.text()) if "/api/devices" in answer.url else None)
    add(owner, "Téléphone de Claire")
    picture(owner, "desktop-fr-code")
    require_accessible(owner)
    outside = read_code(owner, tmp_path / "outside.png")
    owner.click("[role=tab]:has-text('Cabinet')")
    inside = read_code(owner, tmp_path / "inside.png")
    assert (field(outside, "Endpoint"), field(inside, "Endpoint")) == ("box.example.org:51820", "192.168.1.10:51820")
    private = field(outside, "PrivateKey")
    assert private == field(inside, "PrivateKey")
    device = box.devices()["Téléphone de Claire"]
    assert public_key_of(private) == device["public_key"]
    assert len(sent) > 3
    assert not [text for text in [*sent, *answers] if private in text]
    with owner.expect_download() as waiting:
        owner.click("button:has-text('Fichier WireGuard')")
    assert Path(waiting.value.path()).read_text("ascii").strip() == inside
    with owner.expect_download() as waiting:
        owner.click("button:has-text('Profil Apple')")
    assert private in Path(waiting.value.path()).read_text("utf-8")

    netd.handshakes[device["public_key"]] = int(time.time())
    expect(owner.locator("dialog")).to_contain_text("L’appareil est arrivé", timeout=5000)
    picture(owner, "desktop-fr-seen")
    owner.click("dialog button[aria-label=Fermer]")

    page = phone.new_page()
    page.goto(box.from_device(device["ipv4"]))
    expect(page.locator("h1")).to_have_text("Let this browser in")
    picture(page, "phone-en-claim")
    require_accessible(page)
    page.click("button:has-text('Let this browser in')")
    page.wait_for_selector("input[name=user]")
    log_in(page)
    page.wait_for_selector("input[type=search]")
    assert {cookie["name"]: cookie["httpOnly"] for cookie in phone.cookies()} == {
        "negato_session": True, "negato_browser": True
    }  # fmt: skip
    page.click("a[aria-label=Devices]")
    page.wait_for_selector("text=Téléphone de Claire")
    picture(page, "phone-en-devices")
    require_accessible(page)

    row = owner.locator("li:has-text('Téléphone de Claire')")
    expect(row).to_contain_text("Connecté", timeout=5000)
    row.locator("button").click()
    picture(owner, "desktop-fr-acts")
    require_accessible(owner)
    owner.click("button:has-text('Appareil perdu ou retiré')")
    picture(owner, "desktop-fr-revoke")
    began = time.monotonic()
    owner.click("button:has-text('Mettre dehors')")
    expect(page.locator("input[name=user]")).to_be_visible(timeout=5000)  # The open page is out by itself.
    assert time.monotonic() - began < 5
    assert netd.network is not None
    assert netd.network.peers == ()
    expect(row).to_have_count(0)


def test_a_second_browser_is_told_that_another_was_let_in(
    box: TunnelledBox, netd: NetdSimulator, owner: Page, browser: Browser
) -> None:
    told = box.invite(OWNER, "Deux navigateurs")
    netd.handshakes[told["public_key"]] = int(time.time())
    wait_for(lambda: box.devices()["Deux navigateurs"]["state"] == "active", 10)
    address = box.from_device(told["ipv4"])
    with browser.new_context(locale="fr-FR", **PHONE) as first, browser.new_context(locale="fr-FR", **PHONE) as second:
        page = first.new_page()
        page.goto(address)
        picture(page, "phone-fr-claim")
        page.click("button:has-text('Admettre ce navigateur')")
        page.wait_for_selector("input[name=user]")
        other = second.new_page()
        other.goto(address)
        expect(other.locator("h1")).to_have_text("Ce navigateur n’est pas admis")
        picture(other, "phone-fr-other")
        require_accessible(other)
    box.command("device", "revoke", "Deux navigateurs")


def test_new_equipment_is_asked_about_and_confirmed(box: TunnelledBox, netd: NetdSimulator, owner: Page) -> None:
    netd.unknown.append(UnknownSender("192.168.1.77", 12, int(time.time()) - 90))
    owner.reload()
    card = owner.locator("section:has-text('Est-ce votre nouvel appareil')")
    expect(card).to_contain_text("192.168.1.77")
    picture(owner, "desktop-fr-sensor")
    require_accessible(owner)
    card.locator("button:has-text('C’est le nôtre')").click()
    expect(card).to_contain_text("Donnez-lui un nom")
    card.locator("input").fill("Panoramique, salle 2")
    card.locator("button:has-text('C’est le nôtre')").click()
    expect(card).to_have_count(0)
    expect(owner.locator("li:has-text('192.168.1.77')")).to_contain_text("peut envoyer des images")
    assert netd.network is not None
    assert [str(sender) for sender in netd.network.senders] == ["192.168.1.77"]
    owner.click("li:has-text('192.168.1.77') button:has-text('Refuser')")
    expect(owner.locator("li:has-text('192.168.1.77')")).to_contain_text("refusé")
    assert netd.network.senders == ()


def test_a_tunnel_that_does_not_answer_is_said_and_lets_nobody_in(
    box: TunnelledBox, netd: NetdSimulator, owner: Page
) -> None:
    netd.broken = "nft refused the rules."
    try:
        owner.click("button:has-text('Ajouter un appareil')")
        owner.fill("#new-name", "Refusé")
        owner.click("button:has-text('Afficher le code')")
        expect(owner.locator("#add-failure")).to_be_visible()
        assert "Refusé" not in box.devices()
    finally:
        netd.broken = ""


@pytest.mark.parametrize("address", ["192.168.1.0", "192.168.1.255", "192.168.1.10", "fd00:1::10"])
def test_a_whole_network_everybody_in_it_and_the_box_itself_are_no_equipment(
    box: TunnelledBox, netd: NetdSimulator, address: str
) -> None:
    netd.local = ("192.168.1.10/24", "fd00:1::10/64")
    try:
        told = box.command("equipment", "confirm", address, "--name", "Capteur", code=2)
        assert "not one machine's" in told and address not in box.command("equipment", "list")
    finally:
        netd.local = ()


def test_a_tunnel_that_is_not_as_asked_for_is_said_on_the_page_and_by_the_command(
    box: TunnelledBox, netd: NetdSimulator, owner: Page
) -> None:
    warning = owner.locator("p.warning")
    expect(owner.locator("h1")).to_be_visible()
    assert warning.count() == 0 and json.loads(box.command("status", "--json"))["tunnel"]["differences"] == []
    netd.differences = ("The firewall is missing.",)
    try:
        assert "ALARM: The firewall is missing." in box.command("status")
        owner.reload()
        expect(warning).to_contain_text("appliance status")
    finally:
        netd.differences = ()
    owner.reload()
    expect(owner.locator("h1")).to_be_visible()
    expect(warning).to_have_count(0)


def test_the_devices_on_a_phone_in_french(box: TunnelledBox, netd: NetdSimulator, browser: Browser) -> None:
    names = {"Ordinateur du bureau": "computer", "Accueil": "practice_pc", "Téléphone de Claire": "phone"}
    for name, kind in names.items():
        told = box.invite(OWNER, name, "--kind", kind)
        netd.handshakes[told["public_key"]] = int(time.time()) - (0 if kind == "phone" else 7300)
        netd.traffic[told["public_key"]] = (1_250_000, 84_300_000)
    box.command("device", "list")
    with browser.new_context(locale="fr-FR", **PHONE) as context:
        page = context.new_page()
        enter(page, box)
        for name in names:
            expect(page.locator(f"li:has-text('{name}')")).to_be_visible()
        expect(page.locator("li:has-text('Téléphone de Claire')")).to_contain_text("Connecté", timeout=15000)
        expect(page.locator("li:has-text('Téléphone de Claire')")).to_contain_text("84 Mo reçus par l’appareil")
        picture(page, "phone-fr-devices")
        require_accessible(page)
        page.click("button:has-text('Ajouter un appareil')")
        picture(page, "phone-fr-add")
        require_accessible(page)
        page.fill("#new-name", "Tablette")
        page.click("button:has-text('Afficher le code')")
        page.wait_for_selector("[data-testid=qr]")
        picture(page, "phone-fr-code")
        require_accessible(page)
    assert json.loads(box.command("device", "list", "--json"))


def test_the_recovery_page_lets_a_phone_in_and_shows_no_image(
    box: TunnelledBox, netd: NetdSimulator, browser: Browser, tmp_path: Path
) -> None:
    box.invite(OWNER, "Volé")
    sheet = tmp_path / "tunnel.txt"
    box.command("device", "recovery", "--out", str(sheet))
    address = field(sheet.read_text("utf-8"), "Address").partition("/")[0]
    paper = re.search(r"AGE-SECRET-KEY-1\S+", box.kit.read_text("utf-8"))
    assert paper is not None
    with browser.new_context(locale="fr-FR", accept_downloads=True, **PHONE) as context:
        page = context.new_page()
        page.goto(box.from_device(address))
        expect(page.locator("h1")).to_have_text("Reprendre la main")
        page.fill("#paper", "pas la bonne clé")
        page.click("button:has-text('Continuer')")
        expect(page.locator("[role=alert]")).to_contain_text("pas la clé de la feuille")
        picture(page, "phone-fr-recovery")
        require_accessible(page)
        page.fill("#paper", paper[0].lower())
        page.click("button:has-text('Continuer')")
        page.fill("#recovery-name", "Téléphone neuf")
        picture(page, "phone-fr-recovery-devices")
        require_accessible(page)
        page.click("button:has-text('Admettre ce téléphone')")
        page.wait_for_selector("[data-testid=qr]")
        picture(page, "phone-fr-recovery-code")
        require_accessible(page)
        with page.expect_download() as waiting:
            page.click("button:has-text('Fichier WireGuard')")
        private = field(Path(waiting.value.path()).read_text("ascii"), "PrivateKey")
    devices = box.devices()
    assert public_key_of(private) == devices["Téléphone neuf"]["public_key"]
    assert "Volé" not in devices
