"""The age format's own test vectors (C2SP CCTV, npm package cctv-age) through ``appliance open``."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import os
import subprocess
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from appliance.sealing.identities import Identity
from tests.forked import CommandLine, Done

ROOT = Path(__file__).parents[2]
DUMP = """
import * as kit from 'cctv-age';
const texts = Object.entries(kit).map(([name, data]) => [name, Buffer.from(data).toString('base64')]);
process.stdout.write(JSON.stringify(Object.fromEntries(texts)));
"""
# Exit codes that `appliance open` may give for a file that must fail: refused (no identity fits) and damaged.
BAD_IDENTITY, REFUSED, DAMAGED = 2, 4, 5
NOBODY = Identity.generate().reveal()
# Kinds of recipients that `appliance open` does not know, with the reason.
OUT = {
    "passphrase": "scrypt: no sealed file of ours asks for a passphrase; people's passphrases open slots, not files",
    "AGE-SECRET-KEY-PQ-1": "ML-KEM-768 with X25519: nothing is sealed to such a key; Debian's age has none either",
}
CODES = {
    "no match": REFUSED,
    "HMAC failure": DAMAGED,
    "header failure": DAMAGED,
    "payload failure": DAMAGED,
    "armor failure": DAMAGED,
}


@dataclass(frozen=True)
class Vector:
    """One vector: what opening ``sealed`` with ``identities`` must come to, and the SHA-256 of its payload."""

    name: str
    expect: str
    payload: str
    identities: tuple[str, ...]
    passphrase: bool
    sealed: bytes

    @property
    def out(self) -> set[str]:
        """Which kinds of recipients, of those that we do not have, it is about."""
        asked = {"passphrase"} if self.passphrase else set()
        return asked | {kind for kind in OUT if any(line.startswith(kind) for line in self.identities)}

    @property
    def ours(self) -> bool:
        """Whether it is about X25519, the one kind of recipient that the archive has, or about no kind at all."""
        return not self.out


@functools.cache
def vectors() -> dict[str, Vector]:
    done = subprocess.run(
        ["node", "--input-type=module", "-e", DUMP], cwd=ROOT / "web", capture_output=True, check=True, timeout=60
    )
    return {name: parsed(name, base64.b64decode(data)) for name, data in json.loads(done.stdout).items()}


def parsed(name: str, raw: bytes) -> Vector:
    head, _, sealed = raw.partition(b"\n\n")
    lines = [line.split(": ", 1) for line in head.decode().splitlines()]
    fields = dict(lines)
    if fields.get("compressed") == "zlib":
        sealed = zlib.decompress(sealed)
    identities = tuple(value for key, value in lines if key == "identity")
    return Vector(
        name, fields["expect"], fields.get("payload", ""), identities, "passphrase" in fields, sealed
    )  # fmt: skip


@pytest.fixture(scope="module")
def command_line() -> Iterator[CommandLine]:
    with CommandLine(os.environ) as found:
        yield found


def opened(command_line: CommandLine, vector: Vector, identity: Path, by_pipe: bool) -> Done:
    done = command_line.run("open", "--identity", str(identity), stdin=vector.sealed, pipe=by_pipe)
    # An error is our own sentence with its next step, never a fault.
    assert (done.returncode == 0) == (done.stderr == b""), (vector.name, done.stderr)
    assert not done.stderr or done.stderr.startswith(b"appliance: "), (vector.name, done.stderr)
    assert b"should not have" not in done.stderr, vector.name
    return done


@pytest.mark.parametrize("by_pipe", [False, True], ids=["from a file", "from a pipe"])
def test_open_gives_what_each_vector_for_x25519_says_and_nothing_of_one_that_fails(
    command_line: CommandLine, tmp_path: Path, by_pipe: bool
) -> None:
    ours = [vector for vector in vectors().values() if vector.ours]
    assert len(ours) > 80 and {vector.expect for vector in ours} == {"success", *CODES}
    wrong = {}
    for vector in ours:
        identity = tmp_path / "identity.txt"
        identity.write_text("".join(f"{line}\n" for line in vector.identities or [NOBODY]))
        done = opened(command_line, vector, identity, by_pipe)
        if vector.expect == "success":
            right = done.returncode == 0 and hashlib.sha256(done.stdout).hexdigest() == vector.payload
        else:
            right = done.returncode == CODES[vector.expect] and done.stdout == b""
        if not right:
            wrong[vector.name] = (vector.expect, done.returncode, len(done.stdout))
    assert wrong == {}


@pytest.mark.parametrize("by_pipe", [False, True], ids=["from a file", "from a pipe"])
def test_vectors_for_other_kinds_of_recipients_are_refused_and_nothing_is_written(
    command_line: CommandLine, tmp_path: Path, by_pipe: bool
) -> None:
    """With an identity of ours, which fits none of them, and with their own, which is of a kind that we do not have."""
    nobody, own = tmp_path / "nobody.txt", tmp_path / "own.txt"
    nobody.write_text(NOBODY + "\n")
    others = [vector for vector in vectors().values() if not vector.ours]
    assert len(others) > 40 and {reason for vector in others for reason in vector.out} == set(OUT)
    for vector in others:
        done = opened(command_line, vector, nobody, by_pipe)
        # What a kind that we do not have would find malformed is somebody else's to us.
        expected = {REFUSED} if vector.expect in ("success", "no match") else {REFUSED, DAMAGED}
        assert done.returncode in expected and done.stdout == b"", vector.name
        if vector.identities:
            own.write_text("".join(f"{line}\n" for line in vector.identities))
            done = opened(command_line, vector, own, by_pipe)
            assert done.returncode in {BAD_IDENTITY, REFUSED, DAMAGED} and done.stdout == b"", vector.name
            assert vector.expect != "success" or done.returncode == BAD_IDENTITY, vector.name


def test_every_vector_of_the_kit_is_among_those() -> None:
    assert len(vectors()) == 143 and sum(vector.ours for vector in vectors().values()) == 98
