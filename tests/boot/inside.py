"""Runs inside the booted box as root, prints what it found as one JSON object: units, ports, a picture's way."""

import http.cookiejar
import json
import os
import subprocess
import time
import urllib.request
from io import BytesIO
from pathlib import Path

from pydicom import dcmread
from pynetdicom import AE

UNITS = ("receiver", "keyagent", "web", "netd", "courier")
# What does not restrict a unit, or would tie the probe to the process whose place it takes.
OTHERWISE = (
    "Type=", "ExecStart", "Restart", "Requires=", "Wants=", "After=", "PartOf=", "Condition", "Runtime", "Sockets=",
    "Standard",
)  # fmt: skip
APPLIANCE = "/opt/negatoscope/.venv/bin/appliance"
PICTURE = Path("/root/picture.dcm")


def said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True).stdout


def both(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout + done.stderr


def states() -> dict[str, str]:
    return {unit: said("systemctl", "is-active", f"negatoscope-{unit}.service").strip() for unit in UNITS}


def ports() -> list[str]:
    return sorted({line.split()[4] for line in said("ss", "-Hlntu").splitlines()})


def users() -> dict[str, str]:
    found = {}
    for unit in UNITS:
        pid = said("systemctl", "show", "--value", "-p", "MainPID", f"negatoscope-{unit}.service").strip()
        found[unit] = said("stat", "-c", "%U", f"/proc/{pid}").strip()
    return found


def stored() -> int:
    picture = dcmread(PICTURE)
    entity = AE("CAPTEUR")
    entity.add_requested_context(picture.SOPClassUID, picture.file_meta.TransferSyntaxUID)
    link = entity.associate("127.0.0.1", 11112, ae_title="NEGATOSCOPE")
    status = int(link.send_c_store(picture).Status)
    link.release()
    return status


def viewed() -> bool:
    """Log in, wait for the picture, retrieve it and one decoded frame."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    login = json.dumps({"user": os.environ["NEGATO_TEST_OWNER"], "password": os.environ["NEGATO_TEST_PASSPHRASE"]})
    headers = {"Content-Type": "application/json"}
    browser.open(urllib.request.Request("http://127.0.0.1/api/session", login.encode(), headers)).read()
    picture = dcmread(PICTURE)
    root = "http://127.0.0.1/dicom-web"
    series = f"studies/{picture.StudyInstanceUID}/series/{picture.SeriesInstanceUID}"
    path = f"{root}/{series}/instances/{picture.SOPInstanceUID}"
    for _ in range(50):
        if json.loads(browser.open(f"{root}/instances?SOPInstanceUID={picture.SOPInstanceUID}").read()):
            break
        time.sleep(0.2)
    asked = urllib.request.Request(path, headers={"Accept": "application/dicom; transfer-syntax=*"})
    whole = dcmread(BytesIO(browser.open(asked).read()))
    asked = urllib.request.Request(f"{path}/frames/1", headers={"Accept": "application/octet-stream"})
    frame = browser.open(asked).read()
    return bool(whole.PixelData == picture.PixelData and frame == picture.pixel_array.tobytes())


def by_root() -> dict[str, object]:
    """Have root hold the study and make the index anew; return what that said, and whether what comes is listed."""
    picture = dcmread(PICTURE)
    secret = Path("/run/owner")
    secret.write_text(os.environ["NEGATO_TEST_PASSPHRASE"])
    who = ("--user", os.environ["NEGATO_TEST_OWNER"], "--password-file", str(secret))
    os.umask(0o077)
    told = [
        both(APPLIANCE, "study", "hold", str(picture.StudyInstanceUID), *who),
        both(APPLIANCE, "index", "rebuild", *who),
    ]
    os.umask(0o022)
    picture.SOPInstanceUID = picture.file_meta.MediaStorageSOPInstanceUID = f"{picture.SOPInstanceUID}.1"
    entity = AE("CAPTEUR")
    entity.add_requested_context(picture.SOPClassUID, picture.file_meta.TransferSyntaxUID)
    link = entity.associate("127.0.0.1", 11112, ae_title="NEGATOSCOPE")
    link.send_c_store(picture)
    link.release()
    listed = ""
    for _ in range(20):
        listed = both(APPLIANCE, "study", "list", *who)
        if "2 images" in listed:
            break
        time.sleep(0.5)
    inbox = sorted(path.name for path in Path("/var/lib/negatoscope/inbox").iterdir())
    return {"told": told, "listed": "2 images" in listed, "inbox": inbox}


def forbidden() -> dict[str, dict[str, str]]:
    """Start each unit once more, with the same restrictions and acts.py for its program; return what that could do."""
    said("ip", "route", "add", "192.0.2.0/24", "dev", "lo")
    other = said("systemctl", "show", "--value", "-p", "MainPID", "negatoscope-keyagent.service").strip()
    found = {}
    for unit in (*UNITS, "decoder"):
        lines = Path(f"/etc/systemd/system/negatoscope-{unit}.service").read_text().splitlines()
        kept = [line for line in lines if not line.startswith(OTHERWISE)]
        at = kept.index("[Service]") + 1
        kept[at:at] = [
            "Type=oneshot", "ExecStart=/opt/negatoscope/.venv/bin/python /opt/acts.py",
            f"StandardOutput=file:/root/acts-{unit}", "StandardError=journal", f"Environment=OTHER={other}",
        ]  # fmt: skip
        Path(f"/run/systemd/system/acts-{unit}.service").write_text("\n".join(kept) + "\n")
        told = Path(f"/root/acts-{unit}")
        told.unlink(missing_ok=True)
        said("systemctl", "daemon-reload")
        said("systemctl", "start", f"acts-{unit}.service")
        text = told.read_text()
        found[unit] = json.loads(text) if text else {"journal": said("journalctl", "-u", f"acts-{unit}", "-o", "cat")}
    # The same acts without any restriction: each must be possible, or its refusal above would prove nothing.
    free = subprocess.run(
        ["/opt/negatoscope/.venv/bin/python", "/opt/acts.py"], env={**os.environ, "OTHER": other}, capture_output=True
    )
    found["unrestricted"] = json.loads(free.stdout)
    return found


def main() -> None:
    deadline = time.monotonic() + 30
    while set(states().values()) != {"active"} and time.monotonic() < deadline:
        time.sleep(0.2)
    found = {"units": states(), "failed": said("systemctl", "--failed", "--plain", "--no-legend"), "users": users()}
    found |= {"stored": stored(), "viewed": viewed(), "ports": ports()}
    found["by_root"] = by_root()
    found["equipment"] = both(APPLIANCE, "equipment", "confirm", "192.168.7.7", "--name", "Capteur")
    found["let_in"] = "192.168.7.7" in said("nft", "list", "ruleset")
    found["device"] = both(
        APPLIANCE,
        "device",
        "add",
        "--person",
        os.environ["NEGATO_TEST_OWNER"],
        "--name",
        "Portable",
        "--no-wait",
        "--json",
    )
    found["status"] = both(APPLIANCE, "status")
    found["check"] = said(APPLIANCE, "check", "--json")
    found["record"] = said(APPLIANCE, "audit", "verify", "--json")
    found["tunnel"] = said("wg", "show", "negato0", "listen-port").strip()
    found["firewall"] = "negatoscope" in said("nft", "list", "tables")
    found["machine"] = {
        "swap": said("swapon", "--show"),
        "ssh": said("systemctl", "is-enabled", "ssh.service").strip(),
        "watchdog": said("systemctl", "show", "--value", "-p", "RuntimeWatchdogUSec").strip(),
        "restart": said("systemctl", "is-active", "negatoscope-restart.timer").strip(),
        "updates": said("systemctl", "is-enabled", "apt-daily-upgrade.timer").strip(),
        "upgraded": said("apt-config", "dump", "Unattended-Upgrade::Origins-Pattern"),
        "journal": said("systemd-analyze", "cat-config", "systemd/journald.conf"),
    }
    found["forbidden"] = forbidden()
    found["exposure"] = {
        unit: said("systemd-analyze", "security", "--no-pager", f"negatoscope-{unit}.service").split()[-3]
        for unit in (*UNITS, "decoder")
    }
    found["journal"] = said("journalctl", "-b", "-o", "cat", "-u", "negatoscope*", "--no-pager")
    print(json.dumps(found))


main()
