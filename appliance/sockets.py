"""Sockets of this machine's processes: AF_UNIX under paths of any length, and listeners handed down.

``sun_path`` holds 107 bytes. A longer path is reached through ``/proc/self/fd``: the directory is opened and the
socket named below it.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

from appliance.errors import BadInput, EnvironmentProblem

FIRST_HANDED_FD = 3
HANDED_FD = "NEGATO_LISTENER"
WEB_USER = "negato-web"


def connect(path: Path) -> socket.socket:
    """Return a connection to the AF_UNIX socket ``path``; raises :class:`OSError`."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _short(path) as name:
            connection.connect(name)
    except BaseException:
        connection.close()
        raise
    return connection


def listen(path: Path, mode: int = 0o660) -> socket.socket:
    """Return a listening AF_UNIX socket at ``path``, replacing a dead one that lies there."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with _short(path) as name:
        listener.bind(name)
    path.chmod(mode)
    listener.listen(64)
    return listener


def listen_tcp(address: str) -> socket.socket:
    """Return a listening TCP socket at ``HOST:PORT``; :class:`EnvironmentProblem` when it cannot be had."""
    host, port = split(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise EnvironmentProblem(
            f"Port {port} of {host} cannot be used: {error.strerror}.",
            "Stop the program that uses it (see: ss -ltnp) or choose another port.",
        ) from error
    return listener


def split(address: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT`` or ``[HOST]:PORT``; :class:`BadInput` otherwise."""
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise BadInput(f"{address} is not HOST:PORT.", "Write for example 127.0.0.1:8080.")
    return host, int(port)


def callers() -> frozenset[int]:
    """Return the users that may connect to our AF_UNIX sockets: root, this process's own, and the web process's."""
    users = {0, os.getuid()}
    with contextlib.suppress(KeyError):
        users.add(pwd.getpwnam(WEB_USER).pw_uid)
    return frozenset(users)


def handed_down() -> socket.socket | None:
    """Return the listener that systemd (sd_listen_fds(3)) or our supervisor handed down, if any."""
    return next(iter(all_handed_down()), None)


def all_handed_down() -> list[socket.socket]:
    """Return every listener that was handed down, in the order of the unit."""
    count = os.environ.get("LISTEN_FDS", "")
    if count.isdecimal() and os.environ.get("LISTEN_PID") == str(os.getpid()):
        return [socket.socket(fileno=FIRST_HANDED_FD + number) for number in range(int(count))]
    return [socket.socket(fileno=int(one)) for one in os.environ.get(HANDED_FD, "").split(",") if one.isdecimal()]


def peer_uid(connection: socket.socket) -> int:
    """Return the user at the other end of an AF_UNIX connection, as the kernel knows it (SO_PEERCRED, unix(7))."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    uid: int = struct.unpack("3i", raw)[1]
    return uid


def read_line(connection: socket.socket, longest: int, seconds: float) -> bytes:
    """Return what comes up to the end of the connection or of a line, whatever is first.

    :class:`BadInput` when it is longer than ``longest`` bytes or not there after so many seconds in all; what
    follows the line in the same breath is returned too, for the caller to refuse.
    """
    deadline, got = time.monotonic() + seconds, bytearray()
    while b"\n" not in got:
        left = deadline - time.monotonic()
        if left <= 0:
            raise BadInput("A message between processes did not come in time.")
        connection.settimeout(left)
        try:
            part = connection.recv(min(65536, longest + 1 - len(got)))
        except TimeoutError:
            continue
        if not part:
            break
        got += part
        if len(got) > longest:
            raise BadInput("A message between processes is too long.")
    return bytes(got)


def ask(path: Path, message: bytes, longest: int, seconds: float, name: str) -> bytes:
    """Send one line to the process ``name`` at an AF_UNIX socket and return the line it answers.

    :class:`EnvironmentProblem` when it does not run or does not answer, :class:`BadInput` when it answers too much.
    """
    try:
        with connect(path) as connection:
            connection.settimeout(seconds)
            connection.sendall(message)
            connection.shutdown(socket.SHUT_WR)
            answer = read_line(connection, longest, seconds)
    except OSError as error:
        raise EnvironmentProblem(
            f"{name} cannot be reached: {error.strerror or 'no answer'}.", "See whether the appliance runs."
        ) from error
    if not answer:
        raise EnvironmentProblem(f"{name} ended without an answer.", "Its reason stands in its log.")
    return answer


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
