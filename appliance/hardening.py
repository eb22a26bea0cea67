"""What a process gives up before it holds anything: core dumps, tracing by its peers, swapping of its memory."""

from __future__ import annotations

import ctypes
import resource
import sys

PR_SET_DUMPABLE = 4
MCL_CURRENT_AND_FUTURE = 1 | 2


def without_numpy() -> None:
    """Keep numpy out of this process, which never touches a pixel: pydicom goes without it and 20 MB are saved."""
    sys.modules.setdefault("numpy", None)  # type: ignore[arg-type]  # None makes an import fail (importlib)


def no_dumps() -> None:
    """Leave no core file and let no process of the same user read this one's memory (prctl(2))."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def lock_memory() -> bool:
    """Keep this process's memory out of swap; return whether the system allowed it (mlockall(2))."""
    _, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if hard != resource.RLIM_INFINITY:
        return False
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (hard, hard))
    return int(ctypes.CDLL(None).mlockall(MCL_CURRENT_AND_FUTURE)) == 0
