"""A Debian 13 tree that the shipped role has provisioned, and its boots under systemd-nspawn, with the real users.

The tree is made and provisioned by the image's own tool, ``ansible/image/tree``. systemd-nspawn needs no systemd on
this side; the booted system has a network of its own with nothing in it but loopback.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.box import OWNER, PASSPHRASE

ROOT = Path(__file__).parents[2]
APPLIANCE = "/opt/negatoscope/.venv/bin/appliance"
# What the role would install anyhow, at once: a second run of apt in the tree takes longer.
PACKAGES = (
    "systemd-sysv", "dbus", "python3", "python3-setuptools", "python3-venv", "iproute2", "nftables", "wireguard-tools",
    "wireguard-go", "age",
)  # fmt: skip
SCRIPT_UNIT = f"""
[Unit]
After=multi-user.target negatoscope.target

[Service]
Type=oneshot
ExecStart=/opt/negatoscope/.venv/bin/python /root/script.py
StandardOutput=file:/root/script.out
StandardError=file:/root/script.err
Environment=NEGATO_TEST_OWNER="{OWNER}" NEGATO_TEST_PASSPHRASE={PASSPHRASE}
ExecStopPost=/usr/bin/systemctl poweroff --no-block
"""


class Tree:
    """A file system with Debian 13, on which the role is run, an archive made, and which is booted."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def make(self) -> None:
        """Fetch and unpack Debian."""
        self._tool("make", str(self.root), "amd64", *PACKAGES)

    def provision(self) -> dict[str, int]:
        """Run the role; return Ansible's counts (ok, changed, failed...)."""
        out = self._tool("provision", str(self.root), "playbook.yml")
        return {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", out.partition("PLAY RECAP")[2])}

    def init(self) -> None:
        """Make the archive as its owner does, as root."""
        secret = self.root / "root/passphrase"
        secret.write_text(PASSPHRASE)
        self._tool(
            "enter", str(self.root), APPLIANCE, "init", "--owner", OWNER, "--login-seconds", "0",
            "--password-file", "/root/passphrase", "--recovery-out", "/root/sheet.txt",
        )  # fmt: skip
        secret.unlink()

    def command(self, *arguments: str) -> None:
        """Run one command of the appliance's as root, before it is booted."""
        self._tool("enter", str(self.root), APPLIANCE, *arguments)

    def boot(self, script: str) -> str:
        """Boot, run a Python script as root once everything is up, power off; return what it printed."""
        units = self.root / "etc/systemd/system"
        (self.root / "root/script.py").write_text(script, "utf-8")
        (units / "script.service").write_text(SCRIPT_UNIT)
        for name in ("out", "err"):
            (self.root / f"root/script.{name}").unlink(missing_ok=True)
        wanted = units / "multi-user.target.wants/script.service"
        if not wanted.is_symlink():
            wanted.symlink_to("../script.service")
        with tempfile.TemporaryDirectory() as folder:
            # On a machine with udev everybody may open it; who may make a tunnel is a matter of CAP_NET_ADMIN.
            tun = Path(folder) / "tun"
            os.mknod(tun, 0o020666, os.makedev(10, 200))
            tun.chmod(0o666)
            self._run(
                "systemd-nspawn", "--quiet", "-D", str(self.root), "--boot", "--private-network", "--register=no",
                "--keep-unit", f"--bind={tun}:/dev/net/tun", "--property=DeviceAllow=/dev/net/tun rwm", seconds=120,
            )  # fmt: skip
        errors = (self.root / "root/script.err").read_text("utf-8", "replace")
        assert not errors, errors
        return (self.root / "root/script.out").read_text("utf-8")

    def remove(self) -> None:
        """Remove the tree."""
        shutil.rmtree(self.root, ignore_errors=True)

    def _tool(self, *arguments: str) -> str:
        """Run the image's own tool for trees."""
        return self._run("ansible/image/tree", *arguments)

    def _run(self, *command: str, seconds: float = 300) -> str:
        """Run in a mount namespace of its own: whatever is mounted for it ends with it."""
        done = subprocess.run(["unshare", "--mount", *command], cwd=ROOT, capture_output=True, timeout=seconds)
        out = done.stdout.decode("utf-8", "replace")
        assert done.returncode == 0, f"{command[0]}: {out[-3000:]} {done.stderr.decode('utf-8', 'replace')[-3000:]}"
        return out
