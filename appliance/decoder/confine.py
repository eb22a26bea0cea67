"""What a decoding process gives up before it reads a byte of a picture."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
import struct
from dataclasses import dataclass

from appliance.errors import EnvironmentProblem

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
_FILTER_MODE = 2
_ALLOW, _KILL, _DENY = 0x7FFF0000, 0x80000000, 0x00050000 | 1  # SECCOMP_RET_ERRNO with EPERM
# read write close fstat lseek poll/ppoll mmap mprotect munmap brk madvise mremap futex, signals,
# clocks, exit,
# recv and send on the one socket already open, getrandom, getpid, gettid, scheduling questions
_ALLOWED = {
    "x86_64": (
        0,
        1,
        3,
        5,
        7,
        8,
        9,
        10,
        11,
        12,
        13,
        14,
        15,
        19,
        20,
        23,
        24,
        25,
        28,
        35,
        39,
        44,
        45,
        46,
        47,
        60,
        96,
        98,
        131,
        186,
        202,
        204,
        219,
        228,
        229,
        230,
        231,
        271,
        309,
        318,
    ),
    "aarch64": (
        57,
        62,
        63,
        64,
        65,
        66,
        73,
        80,
        93,
        94,
        98,
        101,
        113,
        114,
        115,
        123,
        124,
        128,
        132,
        134,
        135,
        139,
        165,
        168,
        169,
        172,
        178,
        206,
        207,
        211,
        212,
        214,
        215,
        216,
        222,
        226,
        233,
        278,
    ),
}
# connect socket execve execveat ptrace process_vm_readv process_vm_writev: no honest codec comes near them
_FATAL = {"x86_64": (41, 42, 59, 101, 310, 311, 322), "aarch64": (117, 198, 203, 221, 270, 271, 281)}
_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


@dataclass(frozen=True, slots=True)
class Confinement:
    """Limits of one job: address space in bytes, processor time in seconds, whether system calls are
    filtered."""

    memory: int = 3 * 512 * 1024**2
    cpu_seconds: int = 30
    filter_calls: bool = True


def confine(limits: Confinement, keep: int) -> None:
    """Give up files, network, programs, memory and time beyond ``limits``; only descriptor ``keep``
    stays open.

    To be called in the forked child, single-threaded, after every import it needs. Raises
    :class:`EnvironmentProblem` where the kernel refuses: a job must not run with more rights than promised.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    for option, value in (
        (_PR_SET_PDEATHSIG, signal.SIGKILL),
        (_PR_SET_NO_NEW_PRIVS, 1),
        (_PR_SET_DUMPABLE, 0),
    ):
        _prctl(libc, option, value)
    os.closerange(0, keep)
    os.closerange(keep + 1, max(resource.getrlimit(resource.RLIMIT_NOFILE)[0], keep + 2))
    for which, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, 0),
        (resource.RLIMIT_AS, limits.memory),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
    ):
        hard = resource.getrlimit(which)[1]
        wanted = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (wanted, wanted))
    if limits.filter_calls:
        _filter(libc)


def _filter(libc: ctypes.CDLL) -> None:
    machine = platform.machine()
    if machine not in _ARCH:
        raise EnvironmentProblem("The decoder cannot confine itself on this kind of processor.")
    program = filter_program(machine)
    buffer = ctypes.create_string_buffer(program, len(program))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    described = Program(len(program) // 8, ctypes.addressof(buffer))
    _prctl(libc, _PR_SET_SECCOMP, _FILTER_MODE, ctypes.addressof(described))


def filter_program(machine: str) -> bytes:
    """Return the classic BPF program over ``struct seccomp_data`` (seccomp(2)) for ``x86_64`` or
    ``aarch64``."""

    def step(code: int, value: int, true: int = 0, false: int = 0) -> bytes:
        return struct.pack("=HBBI", code, true, false, value)

    load, equal, above, answer = 0x20, 0x15, 0x35, 0x06
    allowed, fatal = _ALLOWED[machine], _FATAL[machine]
    steps = [
        step(load, 4),
        step(equal, _ARCH[machine], 1, 0),
        step(answer, _KILL),
        step(load, 0),
        step(above, 0x40000000, 0, 1),  # the x32 numbers would go round every test below
        step(answer, _KILL),
    ]
    for number in fatal:
        steps += [step(equal, number, 0, 1), step(answer, _KILL)]
    for number in allowed:
        steps += [step(equal, number, 0, 1), step(answer, _ALLOW)]
    return b"".join([*steps, step(answer, _DENY)])


def _prctl(libc: ctypes.CDLL, option: int, value: int, pointer: int = 0) -> None:
    arguments = [ctypes.c_ulong(item) for item in (value, pointer, 0, 0)]
    if libc.prctl(ctypes.c_int(option), *arguments) != 0:
        raise EnvironmentProblem("The kernel refused to confine the decoder.", os.strerror(ctypes.get_errno()))
