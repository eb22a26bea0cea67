"""One boot of a built image in QEMU, unmodified: its firmware, its loader, its kernel; its disk is a copy on write.

A probe goes in as systemd credentials of the virtual machine's firmware (systemd-debug-generator(8)) and a read-only
second disk; it answers on a second serial line. The network is QEMU's own, cut off from everything but two forwarded
ports of this machine's loopback.
"""

from __future__ import annotations

import base64
import io
import json
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FIRMWARE = Path("/usr/share/OVMF")
PROBE = """
[Unit]
After=multi-user.target
DefaultDependencies=no

[Service]
Type=exec
ExecStartPre=/bin/sh -c 'mkdir -p /run/probe && tar -xf /dev/disk/by-id/virtio-probe -C /run/probe'
ExecStart=/opt/negatoscope/.venv/bin/python /run/probe/probe.py
StandardOutput=file:/dev/ttyS1
StandardError=file:/dev/ttyS1
ExecStopPost=/usr/bin/systemctl poweroff --no-block
"""
WANTED = "[Unit]\nWants=probe.service\n"


class Machine:
    """A machine that runs; what its probe prints comes as JSON lines."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes], dicom_port: int) -> None:
        self.folder = folder
        self.dicom_port = dicom_port
        self._process = process
        self._began = time.monotonic()

    @property
    def disk(self) -> Path:
        """The disk as the machine left it (qcow2 over the image)."""
        return self.folder / "disk.qcow2"

    def seconds(self) -> float:
        """Return how long it has been running."""
        return time.monotonic() - self._began

    def told(self, step: str, within: float) -> dict[str, Any]:
        """Wait until the probe says ``step``; return what it says with it."""
        end = time.monotonic() + within
        while time.monotonic() < end:
            for line in self._lines():
                if line.get("step") == step:
                    return line
                assert line.get("step") != "failed", line
            assert self._process.poll() is None, f"the machine ended: {self.console()}"
            time.sleep(0.5)
        raise AssertionError(f"{step} was not reached in {within} s: {self.console()}")

    def ended(self, within: float) -> None:
        """Wait until the machine is off."""
        self._process.wait(within)

    def console(self) -> str:
        """Return the end of what the machine says on its first serial line."""
        return (self.folder / "console.log").read_text("utf-8", "replace")[-4000:]

    def _lines(self) -> Iterator[dict[str, Any]]:
        for line in (self.folder / "probe.log").read_text("utf-8", "replace").splitlines():
            if line.startswith('{"step"') and line.endswith("}"):
                yield json.loads(line)


@contextmanager
def booted(
    image: Path, folder: Path, probe: Mapping[str, bytes], dicom_port: int, disk: str = "6G"
) -> Iterator[Machine]:
    """Boot a raw image on a disk of ``disk`` with these files for its probe (probe.py is run); stop it at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    create = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(image.absolute())]
    subprocess.run([*create, str(folder / "disk.qcow2"), disk], check=True)
    shutil.copy2(FIRMWARE / "OVMF_VARS_4M.fd", folder / "vars.fd")
    with tarfile.open(folder / "probe.tar", "w") as tar:
        for name, content in probe.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    for name in ("console.log", "probe.log"):
        (folder / name).touch()
    credentials = {"systemd.extra-unit.probe.service": PROBE, "systemd.unit-dropin.multi-user.target": WANTED}
    strings = [
        f"io.systemd.credential.binary:{name}={base64.b64encode(text.encode()).decode()}"
        for name, text in credentials.items()
    ]
    given = [part for string in strings for part in ("-smbios", f"type=11,value={string}")]
    process = subprocess.Popen(
        [
            "qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2",
            "-m", "2048", "-nodefaults", "-display", "none", "-no-reboot",
            "-drive", f"if=pflash,format=raw,readonly=on,file={FIRMWARE}/OVMF_CODE_4M.fd",
            "-drive", f"if=pflash,format=raw,file={folder}/vars.fd",
            "-drive", f"if=none,id=disk,format=qcow2,file={folder}/disk.qcow2", "-device", "virtio-blk-pci,drive=disk",
            "-drive", f"if=none,id=probe,format=raw,readonly=on,file={folder}/probe.tar",
            "-device", "virtio-blk-pci,drive=probe,serial=probe", "-device", "virtio-rng-pci",
            "-netdev", f"user,id=lan,restrict=on,hostfwd=tcp:127.0.0.1:{dicom_port}-:11112",
            "-device", "virtio-net-pci,netdev=lan",
            "-chardev", f"file,id=console,path={folder}/console.log", "-serial", "chardev:console",
            "-chardev", f"file,id=probe,path={folder}/probe.log", "-serial", "chardev:probe",
            *given,
        ],
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    machine = Machine(folder, process, dicom_port)
    try:
        yield machine
    finally:
        process.kill()
        process.wait()
