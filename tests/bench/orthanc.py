"""Debian's Orthanc with DICOMweb on loopback, as the peer to compare with."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.demo.box import Trouble, free_port

PROGRAM = Path("/usr/sbin/Orthanc")
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
AET = "NEGATOSCOPE"


def installed() -> bool:
    """Return whether Debian's packages orthanc and orthanc-dicomweb are here."""
    return PROGRAM.exists() and PLUGIN.exists()


@dataclass
class Orthanc:
    """One Orthanc on ports of its own over an empty store in a temporary folder; nothing is encrypted."""

    http_port: int = field(default_factory=free_port)
    dicom_port: int = field(default_factory=free_port)
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="negatoscope-orthanc-")))
    process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """How the reports call it."""
        return "orthanc"

    def configuration(self) -> dict[str, object]:
        """Return its settings: Debian's defaults, but for ports, folders, the plugin and the checks of callers."""
        return {
            "Name": "bench",
            "StorageDirectory": str(self.folder / "store"),
            "IndexDirectory": str(self.folder / "store"),
            "Plugins": [str(PLUGIN)],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
            "HttpServerEnabled": True,
            "HttpPort": self.http_port,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "KeepAlive": True,
            "TcpNoDelay": True,
            "DicomServerEnabled": True,
            "DicomAet": AET,
            "DicomPort": self.dicom_port,
            "DicomAlwaysAllowStore": True,
            "DicomCheckCalledAet": False,
            "DefaultEncoding": "Utf8",
        }

    def start(self, timeout: float = 30) -> float:
        """Start it and return after how many seconds it answered; raise :class:`Trouble` when it does not."""
        (self.folder / "store").mkdir(exist_ok=True)
        settings = self.folder / "orthanc.json"
        settings.write_text(json.dumps(self.configuration()))
        begun = time.monotonic()
        with (self.folder / "orthanc.log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(PROGRAM), str(settings)], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        while time.monotonic() < begun + timeout:
            if self.process.poll() is not None:
                break
            if self._answers():
                return time.monotonic() - begun
            time.sleep(0.01)
        log_end = (self.folder / "orthanc.log").read_text(errors="replace")[-800:]
        self.stop()
        raise Trouble(f"Orthanc did not start:\n{log_end}")

    def pids(self) -> dict[str, int]:
        """Return its processes by name."""
        return {} if self.process is None else {"orthanc": self.process.pid}

    def stop(self) -> None:
        """End it."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def clean(self) -> None:
        """End it and remove its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def count(self) -> int:
        """Return how many instances are listed."""
        link = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=30)
        try:
            link.request("GET", "/statistics")
            return int(json.loads(link.getresponse().read())["CountInstances"])
        finally:
            link.close()

    def headers(self) -> dict[str, str]:
        """Return what a request must carry: nothing."""
        return {}

    def _answers(self) -> bool:
        link = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=5)
        try:
            link.request("GET", "/dicom-web/studies?limit=1")
            return link.getresponse().status == 200
        except OSError:
            return False
        finally:
            link.close()
