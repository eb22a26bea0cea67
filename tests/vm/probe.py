"""Runs in the booted image as root: makes the archive, waits for a picture from outside, views it; says each step."""

import http.cookiejar
import json
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

HERE = Path("/run/probe")
APPLIANCE = "/opt/negatoscope/.venv/bin/appliance"
SENDER = "10.0.2.2"
UNITS = ("receiver", "keyagent", "web", "netd", "courier")


def say(step: str, **told: Any) -> None:
    print(json.dumps({"step": step, **told}), flush=True)


def said(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    return (done.stdout + done.stderr).strip()


def until(holds: Any, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(holds.__name__)
        time.sleep(0.5)


def states() -> dict[str, str]:
    return {unit: said("systemctl", "is-active", f"negatoscope-{unit}.service") for unit in UNITS}


def up() -> bool:
    return set(states().values()) == {"active"}


def ready() -> dict[str, Any]:
    root = said("df", "--output=size", "-B1", "/").split()[-1]
    return {
        "seconds": float(Path("/proc/uptime").read_text().split()[0]),
        "kernel": said("uname", "-r"),
        "failed": said("systemctl", "list-units", "--failed", "--plain", "--no-legend"),
        "root_bytes": int(root),
        "units": states(),
        "ports": sorted({line.split()[4] for line in said("ss", "-Hlntu").splitlines()}),
        "logins": [line.split(":")[0] for line in Path("/etc/shadow").read_text().splitlines() if "$" in line],
    }


def made() -> dict[str, Any]:
    told = said(
        APPLIANCE, "init", "--owner", "Dr Essai", "--login-seconds", "0", "--password-file",
        str(HERE / "passphrase"), "--recovery-out", "/run/probe/sheet.txt",
    )  # fmt: skip
    said("systemctl", "restart", "negatoscope.target")
    try:
        until(up, 240)
    except TimeoutError:
        raise RuntimeError(f"{told} {states()} {said('journalctl', '-b', '-n', '40', '-o', 'cat')}") from None
    return {
        "init": told,
        "confirmed": said(APPLIANCE, "equipment", "confirm", SENDER, "--name", "Capteur"),
        "tunnel": said("wg", "show", "all", "listen-port").split()[-1:],
        "kernel_wireguard": "wireguard" in said("lsmod"),
        "firewall": "policy drop" in said("nft", "list", "ruleset"),
        "ports": sorted({line.split()[4] for line in said("ss", "-Hlntu").splitlines()}),
    }


def viewed() -> dict[str, Any]:
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    headers = {"Content-Type": "application/json"}
    login = json.dumps({"user": "Dr Essai", "password": (HERE / "passphrase").read_text()}).encode()
    browser.open(urllib.request.Request("http://127.0.0.1/api/session", login, headers)).read()
    root = "http://127.0.0.1/dicom-web"

    def listed() -> list[Any]:
        found: list[Any] = json.loads(browser.open(f"{root}/instances").read() or b"[]")
        return found

    until(listed, 60)
    one = listed()[0]
    study, series, instance = (one[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018"))
    path = f"{root}/studies/{study}/series/{series}/instances/{instance}/frames/1"
    asked = urllib.request.Request(path, headers={"Accept": "application/octet-stream"})
    return {"frame_bytes": len(browser.open(asked).read()), "patient": one["00100020"]["Value"][0]}


def main() -> None:
    until(lambda: said("systemctl", "is-system-running") in ("running", "degraded"), 300)
    say("ready", **ready())
    say("made", **made())
    until(lambda: [*Path("/var/lib/negatoscope/inbox").glob("*.note.age")], 300)
    say("stored")
    say("viewed", **viewed())
    said("sync")


try:
    main()
except Exception as error:
    say("failed", why=f"{type(error).__name__}: {error}")
