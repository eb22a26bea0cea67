"""What runs in the places: the shipped appliance on the box, WireGuard and Chromium on the phone, scanners outside."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, sync_playwright
from pydicom.data import get_testdata_file

from appliance import sockets
from appliance.network import netd_wire
from appliance.network.line import LONGEST
from appliance.network.netd_wire import Request, Status
from appliance.paths import RunPaths
from tests.box import Box, wait_for
from tests.broken import breakable, broken, broken_command, whole_again
from tests.browser.chromium import OPTIONS, PROGRAM
from tests.inside import Inside
from tests.lab.places import BOX4, ROUTER4, WIREGUARD
from tests.netd.namespaces import Namespace

ZBARIMG = ("zbarimg", "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable")
PORTS = 65535
PICTURE = get_testdata_file("CT_small.dcm")


class LabBox(Box):
    """The appliance in its place, with the real tunnel, on the ports that it has on a box."""

    def __init__(self, root: Path, space: Namespace, **settings: str) -> None:
        super().__init__(root, tunnel="real", **settings)
        self.space = space
        self.prefix = tuple(space.command())
        self.listen, self.http_port, self.dicom_port = "[::]", 80, 11112
        self.dicom_listen = "[::]"
        self.url = "http://127.0.0.1"
        self.environment |= breakable(root)

    def client(self) -> httpx.Client:
        """Return an HTTP client at the box itself."""
        return self.client_in(self.space, self.url)

    def client_in(self, space: Namespace, url: str) -> httpx.Client:
        """Return a fresh HTTP client on another machine."""
        network = Path(f"/proc/{space.holder.pid}/ns/net")
        return httpx.Client(base_url=url, timeout=5, transport=Inside(network))

    def command(self, *arguments: str, code: int = 0) -> str:
        """Run a command as root on the box; return what it printed."""
        done = self.run(*arguments, "--state", str(self.state))
        assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        return (done.stdout if code == 0 else done.stderr).decode()

    def begin(self) -> None:
        """Make the archive, start, and say where the box is found."""
        self.init()
        self.start()
        self.command("device", "endpoint", "--outside", f"{ROUTER4}:{WIREGUARD}", "--cabinet", f"{BOX4}:{WIREGUARD}")

    @contextmanager
    def stopped(self, process: str) -> Iterator[None]:
        """Hold one of the appliance's processes still for as long as the context lasts."""
        held = self.children()[process]
        os.kill(held, signal.SIGSTOP)
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(held, signal.SIGCONT)

    def renew(self, process: str) -> None:
        """Kill one of the appliance's processes, and wait until the supervisor has started it anew."""
        killed = self.children()[process]
        os.kill(killed, signal.SIGKILL)
        wait_for(lambda: self.children().get(process, killed) != killed, 10)

    @contextmanager
    def broken(self, process: str, code: str) -> Iterator[None]:
        """Have one of the appliance's processes run ``code`` before anything else for as long as the context lasts."""
        broken(process, code, self.root)
        try:
            self.renew(process)
            yield
        finally:
            whole_again(self.root)
            self.renew(process)

    @contextmanager
    def broken_command(self, name: str, code: str) -> Iterator[None]:
        """Have the commands ``appliance NAME ...`` run ``code`` first for as long as the context lasts."""
        broken_command(name, code, self.root)
        try:
            yield
        finally:
            whole_again(self.root)

    def address(self) -> str:
        """Return the box's IPv4 address in the tunnel."""
        (found,) = json.loads(self.space.run("ip", "-json", "-4", "address", "show", "negato0"))
        return str(found["addr_info"][0]["local"])

    def tunnel(self) -> Status:
        """Return what netd says of tunnel and firewall."""
        question = netd_wire.encode_request(Request("status"))
        return netd_wire.decode_status(sockets.ask(RunPaths(self.state / "run").netd, question, LONGEST, 20, "netd"))

    def devices(self) -> dict[str, dict[str, Any]]:
        """Return the devices by name."""
        return {row["name"]: row for row in json.loads(self.command("device", "list", "--json"))}

    def invite(self, person: str, name: str, folder: Path, *more: str) -> tuple[dict[str, Any], str, str]:
        """Let a device in by the command; return what it says, and the texts for outside and for the practice."""
        stem = re.sub(r"\W", "", name)
        told = self.command(
            "device", "add", "--person", person, "--name", name, "--no-wait", "--json", "--cabinet",
            "--qr", str(folder / f"{stem}.png"), *more,
        )  # fmt: skip
        pictures = (folder / f"{stem}.png", folder / f"{stem}-cabinet.png")
        outside, inside = (scanned(picture) for picture in pictures)
        return dict(json.loads(told)), outside, inside


def store(sender: Namespace) -> subprocess.CompletedProcess[bytes]:
    """Have a modality send a picture, with dcmtk's storescu."""
    command = sender.command("storescu", "-to", "2", "-aec", "NEGATOSCOPE", BOX4, "11112", PICTURE)
    return subprocess.run(command, capture_output=True, timeout=60)


def scanned(picture: Path) -> str:
    """Return what a camera reads of a picture with one QR code."""
    done = subprocess.run([*ZBARIMG, picture], capture_output=True, text=True, check=True)
    return done.stdout


class WireGuardApp:
    """The WireGuard app of a phone: one tunnel at a time, each as the code said it."""

    def __init__(self, space: Namespace, folder: Path) -> None:
        self._space = space
        self._folder = folder
        self._on: Path | None = None

    def on(self, text: str, name: str = "dehors") -> None:
        """Switch to the tunnel that ``text`` describes."""
        self.off()
        file = self._folder / f"{name}.conf"
        file.write_text(text)
        file.chmod(0o600)
        self._space.run("wg-quick", "up", file)
        self._on = file

    def again(self) -> None:
        """Switch the tunnel off and on."""
        assert self._on is not None
        file = self._on
        self.on(file.read_text(), file.stem)

    def network_changed(self) -> None:
        """Open the tunnel's socket anew, as the apps for telephones do when they are told of another network.

        wireguard-go alone goes on sending from an address that is gone until it shakes hands anew, after 15 s.
        """
        assert self._on is not None
        self._space.run("wg", "set", self._on.stem, "listen-port", "0")

    def box_address(self) -> str:
        """Return the box's IPv4 address in the tunnel that is on."""
        assert self._on is not None
        found = re.search(r"AllowedIPs = ([\d.]+)/32", self._on.read_text())
        assert found is not None
        return found[1]

    def process(self) -> str:
        """Return the process that holds the tunnel: the same as long as nobody switched it off and on."""
        assert self._on is not None
        network = Path(f"/proc/{self._space.holder.pid}/ns/net").stat().st_ino
        found = self._space.run("pgrep", "-f", f"wireguard-go {self._on.stem}").split()
        (ours,) = [number for number in found if Path(f"/proc/{number}/ns/net").stat().st_ino == network]
        return ours

    def off(self) -> None:
        """Switch the tunnel off."""
        if self._on is not None:
            self._space.run("wg-quick", "down", self._on)
            self._on = None


@contextmanager
def chromium_in(space: Namespace, folder: Path) -> Iterator[Browser]:
    """Yield a browser that sees what ``space`` sees of the network."""
    program = folder / "chromium"
    program.write_text(f'#!/bin/sh\nexec {" ".join(space.command(PROGRAM))} "$@"\n')
    program.chmod(0o755)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=OPTIONS)
        try:
            yield browser
        finally:
            browser.close()


def open_tcp(space: Namespace, address: str, ports: str = f"1-{PORTS}") -> dict[int, str]:
    """Return every TCP port that nmap gets any answer from, with the answer: open, or closed (a reset).

    nmap counts a state that many ports have instead of naming them: such ports are found under minus their number.
    """
    family = ["-6"] if ":" in address else []
    report = space.run(
        "nmap", *family, "-sS", "-Pn", "-n", "-p", ports, "--min-rate", "40000", "--max-retries", "0", "-T5",
        "-oG", "-", address, timeout=120,
    )  # fmt: skip
    counted = re.findall(r"Ignored State: (closed|unfiltered) \((\d+)\)", report)
    named = re.findall(r"(\d+)/(open|closed|unfiltered)/tcp", report)
    return {-int(number): state for state, number in counted} | {int(port): state for port, state in named}


def answers_junk(space: Namespace, address: str, port: int) -> str:
    """Throw junk at a UDP port from a connected socket, which hears of an ICMP error; return what came back."""
    script = f"""
import os, socket
family = socket.AF_INET6 if ":" in {address!r} else socket.AF_INET
thrower = socket.socket(family, socket.SOCK_DGRAM)
thrower.settimeout(0.5)
thrower.connect(({address!r}, {port}))
try:
    for size in (0, 1, 32, 64, 92, 148, 1200):
        for first in (b"", b"\\1\\0\\0\\0", b"\\2\\0\\0\\0", b"\\3\\0\\0\\0", b"\\4\\0\\0\\0"):
            thrower.send((first + os.urandom(size))[:size])
    print("answered", thrower.recv(10))
except TimeoutError:
    pass
except OSError as error:
    print(error)
"""
    return space.run("python3", "-c", script).strip()


class Download:
    """A page's data asked for over and over on one connection; tells when each answer was there."""

    def __init__(self, space: Namespace, address: str, port: int = 80) -> None:
        script = f"""
import socket, time
connection = socket.create_connection(({address!r}, {port}), 20)
connection.settimeout(30)
while True:
    connection.sendall(b"GET /api/status HTTP/1.1\\r\\nHost: {address}\\r\\n\\r\\n")
    if not connection.recv(65536):
        break
    print(time.monotonic(), flush=True)
"""
        self._process = space.start("python3", "-c", script, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.times: list[float] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.times.append(float(line))

    def more(self, count: int = 3, seconds: float = 30) -> float:
        """Wait for so many answers more from now on; return how long that took, in seconds."""
        began, wanted = time.monotonic(), len(self.times) + count
        wait_for(lambda: len(self.times) >= wanted or not self.goes_on, seconds)
        assert self.goes_on, "the connection ended"
        return time.monotonic() - began

    def end(self, seconds: float = 0) -> float:
        """Let ``seconds`` pass, then end; return when the last answer came (monotonic seconds)."""
        time.sleep(seconds)
        self._process.kill()
        self._process.wait()
        return self.times[-1]

    @property
    def goes_on(self) -> bool:
        """Return whether the connection is still the first one."""
        return self._process.poll() is None

    def longest_pause(self) -> float:
        """Return the longest time between two answers, in seconds."""
        return max(later - sooner for sooner, later in zip(self.times, self.times[1:], strict=False))


class Wire:
    """What crosses an interface, as a capture there sees it: the contents of TCP, both ways; gzip is read as well."""

    def __init__(self, space: Namespace, interface: str) -> None:
        script = f"""
import socket, sys
wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
wire.bind(({interface!r}, 0))
sys.stderr.write("on\\n")
sys.stderr.flush()
while True:
    packet = wire.recv(65535)
    if packet[0] >> 4 == 4 and packet[9] == 6:
        head = (packet[0] & 15) * 4
        sys.stdout.buffer.write(packet[head + (packet[head + 12] >> 4) * 4:int.from_bytes(packet[2:4], "big")])
        sys.stdout.flush()
"""
        self._seen = bytearray()
        self._process = space.start("python3", "-c", script, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert self._process.stderr is not None and self._process.stderr.readline() == b"on\n"
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        while part := self._process.stdout.read1(65536):  # type: ignore[attr-defined]
            self._seen += part

    def end(self) -> bytes:
        """Stop; return what was seen."""
        time.sleep(0.5)
        self._process.kill()
        self._reader.join(5)
        seen = bytes(self._seen)
        parts = [seen]
        for found in re.finditer(rb"\x1f\x8b\x08", seen):
            with contextlib.suppress(zlib.error):
                parts.append(zlib.decompressobj(31).decompress(seen[found.start() :]))
        return b"\n".join(parts)
