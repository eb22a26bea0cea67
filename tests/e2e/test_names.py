"""The box's name has a certificate, and claimed browsers move between http at its address and https at its name.

Real parts: Debian's lego as the unit runs it, pebble as the authority, bind as the name's server, all in the box's own
network namespace.
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect, sync_playwright

from tests.box import OWNER, PASSPHRASE, free_ports, wait_for
from tests.browser.chromium import OPTIONS, PHONE, PROGRAM
from tests.inside import Inside
from tests.tunnelled import TunnelledBox, tunnelled

ZONE = "negatoscope.example"
NAME = f"k7f3q9.{ZONE}"
UNIT = Path(__file__).parents[2] / "systemd/negatoscope-acme.service"
DNS, ACME, MANAGEMENT = 5353, 14000, 15000


@dataclass
class Home:
    """A box with a name, what proves that name, and its devices."""

    box: TunnelledBox
    https_port: int
    folder: Path
    environment: dict[str, str]

    @property
    def named(self) -> str:
        return f"https://{NAME}:{self.https_port}"

    def get_certificate(self) -> None:
        """Do what the unit does, in the box's namespace and below the box's state."""
        text = UNIT.read_text("utf-8").replace("/var/lib/negatoscope/", f"{self.box.state}/")
        (command,) = re.findall(r"^ExecStart=/bin/sh -c '(.*)'$", text, re.MULTILINE)
        done = subprocess.run(
            [*self.box.prefix, "/bin/sh", "-c", command.replace("$$", "$")],
            env=self.environment, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def restart(self, mode: str) -> None:
        """Start the box again with another setting."""
        self.box.stop()
        self.box.environment["NEGATO_TLS"] = mode
        self.box.start()

    def browser_at(self, address: str) -> httpx.Client:
        """Return a browser on a device that knows the name, trusts the authority and follows where it is sent."""
        self.box.at(address).close()
        return httpx.Client(
            transport=Named(self, address), follow_redirects=True, timeout=60, base_url=self.box.at(address).base_url
        )


class Named(httpx.BaseTransport):
    """Finds the box's name as its DNS would, and looks at the certificate."""

    def __init__(self, home: Home, address: str) -> None:
        self._home = home
        self._inside = Inside(Path("/run/netns") / home.box.namespace, address, verify=trusting(home))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == NAME:
            there = request.url.copy_with(host=self._home.box.tunnel_address())
            request = httpx.Request(
                request.method, there, headers=request.headers, stream=request.stream,
                extensions={**request.extensions, "sni_hostname": NAME},
            )  # fmt: skip
        return self._inside.handle_request(request)

    def close(self) -> None:
        self._inside.close()


def trusting(home: Home) -> ssl.SSLContext:
    """Return what trusts the test's authority and nobody else."""
    file = home.folder / "authority.pem"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if file.exists():
        context.load_verify_locations(file)
    return context


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    folder = tmp_path_factory.mktemp("names")
    (https_port,) = free_ports(1)
    with tunnelled(folder, https=f"0.0.0.0:{https_port}", tls="plain", tls_name=NAME) as box:
        running = [name_server(box, folder), authority(box, folder)]
        try:
            made = Home(box, https_port, folder, environment(folder))
            wait_for(lambda: fetch_root(made), 20)
            yield made
        finally:
            for process in running:
                process.terminate()
                process.wait(10)


def environment(folder: Path) -> dict[str, str]:
    """Return what the role writes into acme.env, for the servers of the test."""
    return {
        "PATH": os.environ["PATH"], "TLS_NAME": NAME, "ACME_EMAIL": "owner@example.org", "ACME_DNS": "rfc2136",
        "ACME_SERVER": f"https://localhost:{ACME}/dir",
        "ACME_OPTIONS": f"--dns.resolvers 127.0.0.1:{DNS} --dns.disable-cp",
        "LEGO_CA_CERTIFICATES": str(folder / "localhost.pem"), "RFC2136_NAMESERVER": f"127.0.0.1:{DNS}",
        "RFC2136_TSIG_ALGORITHM": "hmac-sha256.", "RFC2136_TSIG_KEY": "box", "RFC2136_POLLING_INTERVAL": "1",
        "RFC2136_TSIG_SECRET": (folder / "tsig").read_text("ascii"),
    }  # fmt: skip


def name_server(box: TunnelledBox, folder: Path) -> subprocess.Popen[bytes]:
    """Start bind for the zone; it takes changes from whoever holds the key."""
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    (folder / "tsig").write_text(key)
    zone = folder / "zone"
    zone.write_text(f"$TTL 5\n@ SOA ns.{ZONE}. me.{ZONE}. 1 60 60 60 5\n@ NS ns.{ZONE}.\nns A 127.0.0.1\n")
    (folder / "named.conf").write_text(
        f'key box {{ algorithm hmac-sha256; secret "{key}"; }};\n'
        f'options {{ directory "{folder}"; pid-file none; listen-on port {DNS} {{ 127.0.0.1; }}; '
        " listen-on-v6 { none; }; recursion no; };\ncontrols { };\n"
        f'zone "{ZONE}" {{ type master; file "{zone}"; update-policy {{ grant box zonesub TXT; }}; }};\n'
    )
    log = (folder / "named.log").open("wb")
    return subprocess.Popen([*box.prefix, "named", "-g", "-c", folder / "named.conf"], stdout=log, stderr=log)


def authority(box: TunnelledBox, folder: Path) -> subprocess.Popen[bytes]:
    """Start pebble, with a certificate for its own door."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-keyout", folder / "localhost.key", "-out", folder / "localhost.pem", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    settings = {
        "listenAddress": f"127.0.0.1:{ACME}", "managementListenAddress": f"127.0.0.1:{MANAGEMENT}",
        "certificate": str(folder / "localhost.pem"), "privateKey": str(folder / "localhost.key"),
        "httpPort": 5002, "tlsPort": 5001, "ocspResponderURL": "", "externalAccountBindingRequired": False,
    }  # fmt: skip
    (folder / "pebble.json").write_text(json.dumps({"pebble": settings}))
    log = (folder / "pebble.log").open("wb")
    return subprocess.Popen(
        [*box.prefix, "pebble", "-config", folder / "pebble.json", "-dnsserver", f"127.0.0.1:{DNS}"],
        stdout=log, stderr=log, env=os.environ | {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"},
    )  # fmt: skip


def fetch_root(home: Home) -> bool:
    """Fetch the authority's root, which it makes anew at every start; return whether it is there."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(home.folder / "localhost.pem")
    try:
        with httpx.Client(transport=Inside(Path("/run/netns") / home.box.namespace, verify=context)) as client:
            root = client.get(f"https://localhost:{MANAGEMENT}/roots/0").text
    except httpx.TransportError:
        return False
    (home.folder / "authority.pem").write_text(root)
    return True


def log_in(client: httpx.Client, origin: str) -> int:
    answer = client.post(f"{origin}/api/session", json={"user": OWNER, "password": PASSPHRASE})
    return answer.status_code


def test_without_a_certificate_the_pages_stay_at_the_address(home: Home) -> None:
    phone = home.box.invite(OWNER, "Téléphone")
    with home.browser_at(phone["ipv4"]) as browser:
        with pytest.raises(httpx.TransportError):
            browser.get(f"{home.named}/healthz")
        assert browser.get("/").url.scheme == "http"


def test_the_unit_gets_a_certificate_and_the_pages_take_it_without_a_restart(home: Home) -> None:
    home.get_certificate()
    chain, key = (home.box.state / "tls/certificates" / f"{NAME}.{kind}" for kind in ("crt", "key"))
    assert chain.read_text().startswith("-----BEGIN CERTIFICATE") and key.exists()
    phone = home.box.devices()["Téléphone"]
    with home.browser_at(phone["ipv4"]) as browser:
        wait_for(lambda: answers(browser, f"{home.named}/healthz"), 10)
        served = home.box.log.read_text().count("certificate_read")
        home.get_certificate()  # Not due: lego leaves it.
        chain.touch()
        wait_for(lambda: home.box.log.read_text().count("certificate_read") > served, 10)
        assert answers(browser, f"{home.named}/healthz")
        # A key that does not fit: the certificate that was read goes on.
        fitting = key.read_bytes()
        subprocess.run(["openssl", "ecparam", "-genkey", "-name", "prime256v1", "-out", key], check=True)
        wait_for(lambda: "certificate_unreadable" in home.box.log.read_text(), 10)
        assert answers(browser, f"{home.named}/healthz")
        key.write_bytes(fitting)
        served = home.box.log.read_text().count("certificate_read")
        wait_for(lambda: home.box.log.read_text().count("certificate_read") > served, 10)


def answers(browser: httpx.Client, url: str) -> bool:
    try:
        return browser.get(url).text.strip() == "ok"
    except httpx.TransportError:
        return False


def test_a_claimed_browser_moves_to_the_name_and_back_and_is_never_locked_out(home: Home) -> None:
    phone = home.box.devices()["Téléphone"]
    plain = f"http://{home.box.tunnel_address()}:{home.box.http_port}"
    with home.browser_at(phone["ipv4"]) as browser:
        assert browser.post("/api/claim").status_code == 204
        assert log_in(browser, plain) == 200
        home.restart("acme")
        wait_for(lambda: answers(browser, f"{home.named}/healthz"), 10)
        for origin, mode in ((home.named, "plain"), (plain, "acme"), (home.named, "plain"), (plain, "")):
            elsewhere = plain if origin == home.named else home.named
            assert str(browser.get(f"{elsewhere}/").url).rstrip("/") == origin
            assert browser.get(f"{origin}/api/session/device").json()["claim"] == "this"
            assert log_in(browser, origin) == 200, "a login renews the secret: the other origin's is old now"
            if mode:
                home.restart(mode)
                wait_for(lambda: answers(browser, f"{home.named}/healthz"), 10)


def test_a_browser_that_opens_its_old_address_first_after_a_change_back_is_known_as_well(home: Home) -> None:
    phone = home.box.devices()["Téléphone"]
    plain = f"http://{home.box.tunnel_address()}:{home.box.http_port}"
    home.restart("acme")
    with home.browser_at(phone["ipv4"]) as browser:
        wait_for(lambda: answers(browser, f"{home.named}/healthz"), 10)
        home.box.command("device", "reopen", "Téléphone")
        assert browser.post("/api/claim").status_code == 204
        browser.get(f"{plain}/")
        assert [log_in(browser, home.named) for _ in range(2)] == [200, 200]
        home.restart("plain")
        wait_for(lambda: answers(browser, f"{home.named}/healthz"), 10)
        here = browser.get(f"{plain}/api/session/device").json()
        assert (here["claim"], here["elsewhere"]) == ("other", f"{home.named}/api/session/leave")
        assert str(browser.get(here["elsewhere"]).url) == f"{plain}/"
        assert browser.get(f"{plain}/api/session/device").json()["claim"] == "this"


def test_nobody_is_sent_to_a_certificate_that_no_browser_takes(home: Home) -> None:
    phone = home.box.devices()["Téléphone"]
    chain, key = (home.box.state / "tls/certificates" / f"{NAME}.{kind}" for kind in ("crt", "key"))
    good = chain.read_bytes(), key.read_bytes()
    home.box.stop()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-keyout", key, "-out", chain, "-subj", "/CN=other.example"],
        check=True, capture_output=True,
    )  # fmt: skip
    home.box.environment["NEGATO_TLS"] = "acme"
    home.box.start()
    with home.browser_at(phone["ipv4"]) as browser:
        time.sleep(3)
        assert browser.get("/").url.scheme == "http"
    assert "certificate_not_taken" in home.box.log.read_text()
    home.box.stop()
    chain.write_bytes(good[0])
    key.write_bytes(good[1])
    home.box.start()


def test_a_code_is_good_once_and_on_its_own_device(home: Home) -> None:
    home.restart("acme")
    phone, other = home.box.devices()["Téléphone"], home.box.invite(OWNER, "Autre")
    with home.browser_at(phone["ipv4"]) as browser, home.browser_at(other["ipv4"]) as stranger:
        wait_for(lambda: answers(browser, f"{home.named}/healthz"), 10)
        home.box.command("device", "reopen", "Téléphone")
        assert browser.post("/api/claim").status_code == 204
        sent = browser.get("/api/session/leave", follow_redirects=False)
        there = sent.headers["location"]
        assert sent.status_code == 303 and there.startswith(f"{home.named}/api/session/arrive?code=")
        assert "negato_browser" not in stranger.get(there, follow_redirects=False).headers.get("set-cookie", "")
        assert "negato_browser" not in browser.get(there, follow_redirects=False).headers.get("set-cookie", "")
        again = browser.get("/api/session/leave", follow_redirects=False).headers["location"]
        given = browser.get(again, follow_redirects=False)
        assert "negato_browser" in given.headers["set-cookie"] and "Secure" in given.headers["set-cookie"]
        assert "set-cookie" not in browser.get(again, follow_redirects=False).headers
        # A browser that was not let in gets no code, and is sent home all the same.
        assert stranger.get("/api/session/leave", follow_redirects=False).headers["location"] == f"{home.named}/"
        log = home.box.log.read_text()
        assert again.partition("code=")[2] not in log


def test_a_real_browser_is_handed_over_and_is_in_a_secure_context(home: Home, tmp_path: Path) -> None:
    home.restart("plain")
    tablet = home.box.invite(OWNER, "Tablette")
    plain = home.box.from_device(tablet["ipv4"])
    program = tmp_path / "chromium"
    program.write_text(f'#!/bin/sh\nexec ip netns exec {home.box.namespace} {PROGRAM} "$@"\n')
    program.chmod(0o755)
    rules = f"--host-resolver-rules=MAP {NAME} {home.box.tunnel_address()}"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=[*OPTIONS, rules])
        context = chromium.new_context(locale="fr-FR", ignore_https_errors=True, **PHONE)
        page = context.new_page()
        page.goto(f"{plain}/")
        assert page.evaluate("isSecureContext") is False
        page.click("button:has-text('Admettre ce navigateur')")
        page.wait_for_selector("input[name=user]")
        home.restart("acme")
        time.sleep(3)
        page.goto(f"{plain}/")
        expect(page.locator("input[name=user]")).to_be_visible()
        assert page.url.startswith(home.named) and page.evaluate("isSecureContext") is True
        page.fill("input[name=user]", OWNER)
        page.fill("input[name=password]", PASSPHRASE)
        page.keyboard.press("Enter")
        expect(page.locator("input[type=search]")).to_be_visible(timeout=20_000)
        # Back at the address with a cookie that is two logins old: the page asks at the name by itself.
        home.restart("plain")
        time.sleep(3)
        page.goto(f"{plain}/")
        expect(page.locator("input[name=user]")).to_be_visible(timeout=20_000)
        assert page.url.startswith(plain)
        chromium.close()
