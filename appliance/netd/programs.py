"""Running the four programs that change a network: argument lists only, what they read comes on standard input."""

from __future__ import annotations

import shutil
import subprocess

from appliance.errors import EnvironmentProblem

# Program: the Debian package it is in.
PACKAGES = {"ip": "iproute2", "nft": "nftables", "wg": "wireguard-tools", "wireguard-go": "wireguard-go"}
SEARCHED = "/usr/sbin:/usr/bin:/sbin:/bin"
SECONDS = 10
# wg quotes what it could not read, which may be a key; a program that stays keeps our pipes open.
_SILENT = ("wg", "wireguard-go")
_STAYS = ("wireguard-go",)


class ProgramRefused(EnvironmentProblem):
    """A program ended with an error; nothing is known of what it did before."""


def run(program: str, *arguments: str, stdin: str = "") -> str:
    """Run ``program`` to its end and return what it printed.

    :class:`ProgramRefused` when it fails, :class:`EnvironmentProblem` when it is missing. No argument may be a secret.
    """
    path = find(program)
    stays = program in _STAYS
    try:
        done = subprocess.run(
            [path, *arguments],
            input=stdin.encode(),
            stdout=subprocess.DEVNULL if stays else subprocess.PIPE,
            stderr=subprocess.DEVNULL if stays else subprocess.PIPE,
            env={"PATH": SEARCHED, "LC_ALL": "C.UTF-8", "LOG_LEVEL": "error"},
            cwd="/",
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ProgramRefused(f"{program} did not end within {SECONDS} s.", "See what holds it up.") from None
    except OSError as error:
        raise ProgramRefused(f"{program} cannot be run: {error.strerror}.", "Look at its rights.") from None
    if done.returncode:
        said = "" if program in _SILENT else done.stderr.decode("utf-8", "replace").strip().partition("\n")[0][:200]
        what = " ".join([program, *arguments[:2]])
        raise ProgramRefused(f"{what} failed ({done.returncode}){f': {said}' if said else ''}.", "See netd's log.")
    return (done.stdout or b"").decode("utf-8", "replace")


def find(program: str) -> str:
    """Return where ``program`` lies; :class:`EnvironmentProblem` that names its package when it is missing."""
    path = shutil.which(program, path=SEARCHED)
    if path is None:
        raise EnvironmentProblem(f"The program {program} is missing.", f"Run: apt-get install {PACKAGES[program]}")
    return path
