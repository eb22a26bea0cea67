"""Runs in place of a process of the box, with its user and its unit's restrictions: tries what it must not do.

Prints one JSON object: each act with "done", or the name of the error that stopped it.
"""

import errno
import json
import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

STATE = Path("/var/lib/negatoscope")


def first(pattern: str) -> Path:
    """Return the first match; where nothing can be seen, a path that is missing or closed."""
    return next(iter(sorted(STATE.glob(pattern))), STATE / pattern)


def read(pattern: str) -> Callable[[], object]:
    return lambda: first(pattern).read_bytes()


def write(where: str) -> Callable[[], object]:
    def act() -> None:
        path = STATE / where / "probe"
        path.write_bytes(b"x")
        path.unlink()

    return act


def talk(family: int, kind: int = socket.SOCK_STREAM) -> Callable[[], object]:
    return lambda: socket.socket(family, kind).close()


def bind() -> None:
    with socket.socket(socket.AF_INET) as listener:
        listener.bind(("127.0.0.1", 12345))


def outside() -> None:
    """Send a packet to an address that is nobody's own: a route to it leads to loopback here."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", ("192.0.2.1", 53))


ACTS: dict[str, Callable[[], object]] = {
    "read a slot": read("keys/slots/*.json"),
    "read an object": read("objects/*/*.age"),
    "read the index": read("index.db"),
    "read the record": read("audit/*.log"),
    "read the tunnel's key": read("netd/server.key"),
    "read the keys' public halves": read("keys/*.pub"),
    "write the inbox": write("inbox"),
    "write the shelves": write("objects"),
    "write the record": write("audit"),
    "write the keys": write("keys"),
    "write /etc": lambda: Path("/etc/probe").write_bytes(b"x"),
    "talk IP": talk(socket.AF_INET),
    "talk to the internet": outside,
    "take another port": bind,
    "change the network": talk(socket.AF_NETLINK, socket.SOCK_RAW),
    "start a shell": lambda: subprocess.run(["/bin/sh", "-c", "true"], check=True),
    "see other processes": lambda: [Path(f"/proc/{n}/status").read_bytes() for n in [json.loads(os.environ["OTHER"])]],
}


def main() -> None:
    found = {}
    for name, act in ACTS.items():
        try:
            act()
            found[name] = "done"
        except OSError as error:
            found[name] = errno.errorcode.get(error.errno or 0, str(error))
        except Exception as error:
            found[name] = type(error).__name__
    print(json.dumps(found))


main()
