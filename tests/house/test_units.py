"""The units are what systemd accepts, as closed as documented, and write only what each process owns."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "systemd"
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))
PROGRAM = "/opt/negatoscope/.venv/bin/appliance"
# Debian's programs: whose they are.
FOREIGN = {"negatoscope-dyndns.service": "negato-courier", "negatoscope-acme.service": "negato-acme"}
WRITES = {
    "negatoscope-receiver.service": ["/var/lib/negatoscope/inbox"],
    "negatoscope-keyagent.service": [
        "/var/lib/negatoscope/audit",
        "-/var/lib/negatoscope/alarm",
        "/var/lib/negatoscope/keys/slots",
    ],
    "negatoscope-decoder.service": [],
    "negatoscope-dyndns.service": [],
    "negatoscope-acme.service": ["/var/lib/negatoscope/tls"],
    "negatoscope-courier.service": ["/var/lib/negatoscope/courier"],
    "negatoscope-netd.service": ["/var/lib/negatoscope/netd", "-/var/lib/negatoscope/keys/box"],
    "negatoscope-web.service": ["/var/lib/negatoscope"],
}


def values(unit: str, key: str) -> list[str]:
    """Return all words of a setting over all its lines."""
    text = (UNITS / unit).read_text("utf-8")
    return [word for line in re.findall(rf"^{key}=(.*)$", text, re.MULTILINE) for word in line.split()]


@pytest.fixture
def installed(tmp_path: Path) -> list[Path]:
    """The units as on a box, but for a program and users that exist on this machine."""
    program = tmp_path / "appliance"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for unit in UNITS.iterdir():
        if unit.suffix in {".service", ".socket", ".target", ".timer"}:
            text = unit.read_text("utf-8").replace(PROGRAM, str(program)).replace("/usr/sbin/inadyn", str(program))
            text = re.sub(r"^(User|Group|SocketUser|SocketGroup)=.*", r"\1=root", text, flags=re.MULTILINE)
            (tmp_path / unit.name).write_text(text)
    return sorted(path for path in tmp_path.iterdir() if path.suffix)


def verify(units: list[Path]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True)


def test_systemd_accepts_every_unit(installed: list[Path]) -> None:
    done = verify(installed)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_misspelt_setting_would_be_noticed(installed: list[Path]) -> None:
    service = next(path for path in installed if path.name == SERVICES[0])
    service.write_text(service.read_text("utf-8").replace("ProtectSystem=", "ProtectSytem="))
    assert "ProtectSytem" in verify(installed).stderr


@pytest.mark.parametrize("service", SERVICES)
def test_a_process_is_as_closed_as_documented(service: str) -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", UNITS / service], capture_output=True, text=True, check=True
    )
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found is not None
    documented = re.search(rf"`{re.escape(service)}` \| ([\d.]+) ", (ROOT / "docs/design.md").read_text("utf-8"))
    assert documented is not None, f"{service} is missing in docs/design.md"
    assert float(found[1]) <= float(documented[1])


@pytest.mark.parametrize("service", SERVICES)
def test_a_process_writes_only_what_is_its_own(service: str) -> None:
    assert values(service, "ProtectSystem") == ["strict"]
    assert values(service, "ReadWritePaths") == WRITES[service]


def test_the_pages_see_no_slot_and_change_no_key() -> None:
    assert "-/var/lib/negatoscope/keys" in values("negatoscope-web.service", "ReadOnlyPaths")
    assert "-/var/lib/negatoscope/keys/slots" in values("negatoscope-web.service", "InaccessiblePaths")


@pytest.mark.parametrize("service", ["negatoscope-keyagent.service", "negatoscope-decoder.service"])
def test_key_agent_and_decoder_have_no_network(service: str) -> None:
    assert values(service, "PrivateNetwork") == ["yes"]
    assert values(service, "RestrictAddressFamilies") == ["AF_UNIX"]


def test_of_roots_rights_netd_has_the_network_alone_and_the_others_none() -> None:
    for service in SERVICES:
        rights = ["CAP_NET_ADMIN"] if service == "negatoscope-netd.service" else []
        assert values(service, "CapabilityBoundingSet") == values(service, "AmbientCapabilities") == rights


def test_netd_sees_no_image_no_slot_and_no_list_of_people() -> None:
    hidden = values("negatoscope-netd.service", "InaccessiblePaths")
    for name in ("inbox", "objects", "notes", "decisions", "keys/slots", "index.db", "system.db", "audit"):
        assert f"-/var/lib/negatoscope/{name}" in hidden


@pytest.mark.parametrize("service", SERVICES)
def test_every_process_has_a_user_of_its_own_that_is_made(service: str) -> None:
    process = service.removeprefix("negatoscope-").removesuffix(".service")
    if service in FOREIGN:
        assert values(service, "User") == [FOREIGN[service]]
        return
    assert values(service, "User") == [f"negato-{process}"]
    assert f"u negato-{process} " in (UNITS / "negatoscope.sysusers").read_text("utf-8")
    assert values(service, "ExecStart") == [PROGRAM, "run", process]


def test_the_file_rules_are_what_systemd_accepts(tmp_path: Path) -> None:
    """Run for real in an empty root with the box's users."""
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "passwd").write_text("root:x:0:0::/root:/bin/sh\n")
    (etc / "group").write_text("root:x:0:\n")
    users = subprocess.run(
        ["systemd-sysusers", f"--root={tmp_path}", UNITS / "negatoscope.sysusers"], capture_output=True, text=True
    )
    assert (users.returncode, users.stderr.count("Failed")) == (0, 0), users.stderr
    keys = tmp_path / "var/lib/negatoscope/keys/slots"
    keys.mkdir(parents=True)
    (keys.parents[1] / "inbox").mkdir()
    for name in ("1.notes.age", "1.notes.pub", "SHA256SUMS"):
        (keys.parent / name).touch(0o600)
    files = subprocess.run(
        ["systemd-tmpfiles", "--create", f"--root={tmp_path}", UNITS / "negatoscope.tmpfiles"],
        capture_output=True,
        text=True,
    )
    assert (files.returncode, files.stderr) == (0, "")
    assert keys.parents[1].stat().st_mode & 0o7777 == 0o1771
    assert (keys.parents[1] / "inbox").stat().st_mode & 0o7777 == 0o2770
    assert keys.stat().st_mode & 0o7777 == 0o750
    owners = {line.split(":")[0]: int(line.split(":")[2]) for line in (etc / "passwd").read_text().splitlines()}
    assert (keys.parents[1] / "inbox").stat().st_uid == owners["negato-receiver"]
    groups = {line.split(":")[0]: int(line.split(":")[2]) for line in (etc / "group").read_text().splitlines()}
    shared = [(keys.parent / name).stat() for name in ("1.notes.pub", "SHA256SUMS")]
    assert [(one.st_gid, one.st_mode & 0o777) for one in shared] == [(groups["negato"], 0o640)] * 2
    assert (keys.parent / "1.notes.age").stat().st_gid == groups["negato-keyagent"]
