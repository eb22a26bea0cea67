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
PICTURE = Path("/root/picture.dcm")


def said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True).stdout


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


def main() -> None:
    deadline = time.monotonic() + 30
    while set(states().values()) != {"active"} and time.monotonic() < deadline:
        time.sleep(0.2)
    found = {"units": states(), "failed": said("systemctl", "--failed", "--plain", "--no-legend"), "users": users()}
    found |= {"stored": stored(), "viewed": viewed(), "ports": ports()}
    found["tunnel"] = said("wg", "show", "negato0", "listen-port").strip()
    found["firewall"] = "negatoscope" in said("nft", "list", "tables")
    found["journal"] = said("journalctl", "-b", "-o", "cat", "-u", "negatoscope*", "--no-pager")
    print(json.dumps(found))


main()
