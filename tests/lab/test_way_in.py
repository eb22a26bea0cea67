"""The box finds its own way in through the practice's router, and says what stands in it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.box import APPLIANCE, OWNER, PASSPHRASE, wait_for
from tests.browser.accessible import require_accessible
from tests.browser.chromium import DESKTOP, PHONE
from tests.lab.line import Line
from tests.lab.machines import chromium_in
from tests.lab.places import ROUTER4, WIREGUARD
from tests.lab.templates import rendered
from tests.netd.box import reaches

# A provider of names on this machine: says yes to an update, and what it was asked.
HERE = """    ddns-server = 127.0.0.1:8053
    ddns-path = "/nic/update?hostname=%h&myip=%i"
    ssl = false"""
PROVIDER = """
import http.server
class Provider(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print(self.path, flush=True)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"good")
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", 8053), Provider)
print("up", flush=True)
server.serve_forever()
"""


def test_a_router_that_knows_no_protocol_is_told_with_the_next_step(line: Line) -> None:
    found = line.look()
    assert found["report"]["verdict"] == "silent" and found["outside"] == ""
    assert [one["outcome"] for one in found["report"]["tried"]] == ["silent"] * 3
    assert "never the DMZ" in line.box.command("way-in", "status")
    line.box.command("device", "endpoint", "--outside", f"{ROUTER4}:{WIREGUARD}")
    with pytest.raises(AssertionError, match="did not happen"):
        line.connects("Dehors", seconds=6)
    line.app.off()
    line.box.command("device", "endpoint", "--outside", "")


def test_reachable_is_said_only_after_a_handshake_from_outside(line: Line) -> None:
    line.mapper.start("pcp")
    assert line.look()["reached"] == 0
    assert "not proved" in line.box.command("way-in", "status")
    practice = line.mapper.places
    _, outside, inside = line.box.invite(OWNER, "Preuve", line.folder)
    practice.on_wifi()
    try:
        line.app.on(inside, "cabinet")
        wait_for(lambda: reaches(practice.phone, line.box.address(), 80), 20)
        assert line.status()["reached"] == 0, "a phone at the practice proves nothing"
    finally:
        practice.on_4g()
    line.app.on(outside)
    wait_for(lambda: reaches(practice.phone, line.box.address(), 80), 20)
    assert line.status()["reached"] > 0
    assert "reachable: yes" in line.box.command("way-in", "status")
    line.app.off()


def picture(page: Page, name: str) -> None:
    """Keep a picture where one is asked for, to be looked at."""
    if folder := os.environ.get("SCREENSHOTS_WAY_IN"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.mark.parametrize(("locale", "screen"), [("fr-FR", DESKTOP), ("en-GB", PHONE)], ids=["desktop", "phone"])
def test_the_page_says_what_stands_in_the_way_and_what_to_do(
    line: Line, locale: str, screen: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    french, name = locale == "fr-FR", request.node.callspec.id
    line.mapper.start()
    line.look()
    with chromium_in(line.box.space, line.folder) as browser, browser.new_context(locale=locale, **screen) as context:
        page = context.new_page()
        page.goto(f"{line.box.url}/#/devices")
        page.fill("input[name=user]", OWNER)
        page.fill("input[name=password]", PASSPHRASE)
        page.keyboard.press("Enter")
        section = page.locator("section[aria-labelledby=way-title]")
        silent = "La box ne répond pas" if french else "The router does not answer"
        expect(section).to_contain_text(silent, timeout=20_000)
        section.locator("summary").click()
        expect(section).to_contain_text("DMZ")
        expect(section.locator("details dd").nth(1)).to_have_text(str(WIREGUARD))
        require_accessible(page)
        picture(page, f"{name}-silent")
        line.mapper.start("pcp")
        section.get_by_role("button", name="Chercher à nouveau" if french else "Look again").click()
        through = "La box laisse passer le port" if french else "The router lets the tunnel’s port through"
        expect(section).to_contain_text(through, timeout=20_000)
        expect(section).to_contain_text(f"{ROUTER4}:{WIREGUARD}")
        require_accessible(page)
        picture(page, f"{name}-mapped")
        line.mapper.start()
        with line.mapper.outside("100.64.9.2"):
            line.mapper.start("pcp")
            section.get_by_role("button").first.click()
            shared = "partage une adresse publique" if french else "shares one public address"
            expect(section).to_contain_text(shared, timeout=20_000)
            picture(page, f"{name}-carrier")


def require_mapped_by(found: dict[str, Any], protocol: str) -> None:
    """Fail unless it is told that the port is let through, by ``protocol``."""
    assert found["report"]["verdict"] == "mapped"
    outcomes = {one["protocol"]: one["outcome"] for one in found["report"]["tried"]}
    assert outcomes.get(protocol) == "mapped", f"not by {protocol}: {outcomes}"


def require_mapped(line: Line, protocol: str, patience: float = 20) -> dict[str, Any]:
    """Fail unless the port is let through by ``protocol``, and a phone comes in by what the box tells; return that."""
    found = line.look()
    require_mapped_by(found, protocol)
    assert found["outside"] == f"{ROUTER4}:{WIREGUARD}" and found["source"] == "router"
    assert line.connects(f"Par {protocol} {patience}", patience) == f"{ROUTER4}:{WIREGUARD}"
    assert line.box.command("way-in", "address").strip() == ROUTER4
    return found


OTHERS = {"pcp": "nat-pmp", "nat-pmp": "upnp", "upnp": "pcp"}


@pytest.mark.parametrize("protocol", OTHERS)
def test_the_port_is_let_through_by_each_protocol_with_the_others_off(line: Line, protocol: str) -> None:
    line.mapper.start(protocol)
    found = require_mapped(line, protocol)
    with pytest.raises(AssertionError, match=f"not by {OTHERS[protocol]}"):  # A router that speaks another one.
        require_mapped_by(found, OTHERS[protocol])


def test_an_old_router_that_speaks_igd_1_alone(line: Line) -> None:
    line.mapper.start("upnp", igd1=True)
    assert line.look()["report"]["verdict"] == "mapped"


def require_some_port(line: Line) -> str:
    """Fail unless a port of the line's range is told, and a phone comes in there; return ADDRESS:PORT."""
    found = line.look()
    assert found["report"]["verdict"] == "other_port", found["report"]["verdict"]
    host, _, port = found["outside"].rpartition(":")
    assert host == ROUTER4 and 32768 <= int(port) <= 40959
    assert line.connects("Quart") == found["outside"]
    return str(found["outside"])


def test_a_line_with_some_of_the_ports_gets_one_of_them(line: Line) -> None:
    line.mapper.start("pcp", allowed="32768-40959")
    told = require_some_port(line)
    line.mapper.start("nat-pmp", "upnp", allowed="32768-40959")
    assert line.look()["outside"] == told, "phones know this port: it is kept"


def require_refused(line: Line) -> None:
    """Fail unless it is told that the router gives no port, by no protocol."""
    found = line.look()
    assert found["report"]["verdict"] == "refused", found["report"]["verdict"]
    assert found["report"]["outside4"] == ""
    assert {one["outcome"] for one in found["report"]["tried"]} == {"refused"}


def test_a_line_on_which_no_port_is_given(line: Line) -> None:
    line.mapper.start("pcp", "nat-pmp", "upnp", client="192.168.78.0/24")
    require_refused(line)


NOT_PUBLIC = {
    "carrier_nat": ("100.64.9.2", "shares one public address"),
    "double_nat": ("192.168.1.7", "Another router"),
}


def require_named(line: Line, verdict: str) -> None:
    """Fail unless the router's address outside is told to be none that the internet reaches, and which kind it is."""
    address, named = NOT_PUBLIC[verdict]
    found = line.look()
    told = (found["report"]["verdict"], found["report"]["address"], found["report"]["outside4"])
    assert told == (verdict, address, ""), f"told: {told}"
    assert named in line.box.command("way-in", "status")


@pytest.mark.parametrize("verdict", NOT_PUBLIC)
def test_a_router_without_a_public_address(line: Line, verdict: str) -> None:
    line.mapper.start()
    with line.mapper.outside(NOT_PUBLIC[verdict][0]):
        line.mapper.start("pcp", "nat-pmp", "upnp")
        require_named(line, verdict)
        for protocol in ("nat-pmp", "upnp"):
            line.mapper.start(protocol)
            assert line.look()["report"]["verdict"] == "no_public_address", protocol


# A courier that asks nobody: the port it wants at the address that the practice always had.
CREDULOUS = f"""
from ipaddress import IPv4Address
from appliance.courier import by_pcp
from appliance.network.way_in import Attempt
def let_in(lane, nonce, port, wished, seconds):
    address = IPv4Address("{ROUTER4}") if lane.own.version == 4 else lane.own
    return Attempt("pcp", "mapped", port, address, seconds)
by_pcp.let_in = let_in
"""


def test_a_courier_that_asks_nobody_fails_every_check(line: Line) -> None:
    with line.box.broken("courier", CREDULOUS):
        line.mapper.start("pcp")
        with pytest.raises(AssertionError, match="did not happen within 3 s"):
            require_mapped(line, "pcp", patience=3)
        line.mapper.start("pcp", allowed="32768-40959")
        with pytest.raises(AssertionError, match="mapped"):
            require_some_port(line)
        line.mapper.start("pcp", "nat-pmp", "upnp", client="192.168.78.0/24")
        with pytest.raises(AssertionError, match="mapped"):
            require_refused(line)
        for verdict, (address, _) in NOT_PUBLIC.items():
            with line.mapper.outside(address), pytest.raises(AssertionError, match=r"told: .'mapped', .*:51820"):
                require_named(line, verdict)
    line.app.off()


def test_a_changed_public_address_is_noticed_and_the_devices_are_named(line: Line) -> None:
    line.mapper.start("pcp")
    former = line.look()["outside"]
    line.box.invite(OWNER, "Ancien", line.folder)
    assert "Ancien" not in line.status()["stale"]
    with line.mapper.outside("203.0.120.77"):
        line.mapper.start("pcp")
        found = line.look()
        assert found["outside"].startswith("203.0.120.77:") and found["report"]["former"] == former
        assert "Ancien" in found["stale"]
        told = line.box.command("way-in", "status")
        assert f"changed from {former} to 203.0.120.77" in told and "Ancien" in told


def test_the_practices_name_is_kept_at_the_address_that_the_router_says(line: Line) -> None:
    """Debian's inadyn with the role's file; its provider is a stand-in on this machine with the usual protocol."""
    line.mapper.start("pcp")
    line.look()
    program = f"{shlex.join(APPLIANCE)} way-in address --state {line.box.state}"
    text = rendered(
        "negatoscope", "dyndns.conf.j2", negatoscope_dyndns_provider="default@dyndns.org",
        negatoscope_public_name="cabinet.example.org", negatoscope_dyndns_user="martin",
        negatoscope_dyndns_password="secret-3f",
    )  # fmt: skip
    text = text.replace("/opt/negatoscope/.venv/bin/appliance way-in address", program)
    text = text.replace("provider default@dyndns.org {", f"custom here {{\n{HERE}")
    file = line.folder / "dyndns.conf"
    file.write_text(text)
    file.chmod(0o600)
    provider = line.box.space.start(sys.executable, "-c", PROVIDER, stdout=subprocess.PIPE)
    assert provider.stdout is not None
    assert provider.stdout.readline() == b"up\n"
    cache = line.folder / "cache"
    cache.mkdir()
    environment = {**os.environ, "NEGATO_COURIER": "real"}
    command = ["inadyn", "--foreground", "--no-pidfile", "--once", f"--cache-dir={cache}", f"--config={file}"]
    done = subprocess.run(line.box.space.command(*command), env=environment, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    provider.terminate()
    assert f"hostname=cabinet.example.org&myip={ROUTER4}\n" in provider.communicate()[0].decode()
