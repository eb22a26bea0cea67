"""How a process tells its supervisor, ours or systemd, that it is ready (sd_notify(3)), and ends with ours."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket

SOCKET = "NOTIFY_SOCKET"
SUPERVISOR = "NEGATO_SUPERVISOR"
PR_SET_PDEATHSIG = 1


def tell_ready(process: str) -> None:
    """Send READY=1; does nothing where nobody listens."""
    address = os.environ.get(SOCKET, "")
    if not address:
        return
    name = "\0" + address[1:] if address.startswith("@") else address
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(f"READY=1\nX_PROCESS={process}".encode(), name)


def die_with_supervisor() -> None:
    """Ask the kernel for SIGTERM when our supervisor dies, however it dies (prctl(2))."""
    parent = os.environ.get(SUPERVISOR, "")
    if not parent:
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if str(os.getppid()) != parent:
        raise SystemExit(0)
