"""The age format's own test vectors (C2SP CCTV, npm package cctv-age) through ``appliance open``."""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import json
import subprocess
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path

import pytest

from appliance.cli.open import open_command
from appliance.errors import NegatoError
from appliance.sealing.identities import Identity

ROOT = Path(__file__).parents[2]
DUMP = """
import * as kit from 'cctv-age';
const texts = Object.entries(kit).map(([name, data]) => [name, Buffer.from(data).toString('base64')]);
process.stdout.write(JSON.stringify(Object.fromEntries(texts)));
"""
# Exit codes that `appliance open` may give for a file that must fail: refused (no identity fits) and damaged.
REFUSED, DAMAGED = 4, 5
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
    def ours(self) -> bool:
        """Whether it is about X25519, the one kind of recipient that the archive has.

        The others need a passphrase (scrypt) or a post-quantum identity, which no sealed file of ours can ask for.
        """
        kinds = all(identity.startswith("AGE-SECRET-KEY-1") for identity in self.identities)
        return bool(self.identities) and kinds and not self.passphrase


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


@pytest.mark.parametrize("by_pipe", [False, True], ids=["from a file", "from a pipe"])
def test_open_gives_what_each_vector_for_x25519_says_and_nothing_of_one_that_fails(
    tmp_path: Path, by_pipe: bool
) -> None:
    """Every other vector comes through a pipe, the rest as a file."""
    ours = sorted((vector for vector in vectors().values() if vector.ours), key=lambda vector: vector.name)
    assert len(ours) > 80 and {vector.expect for vector in ours} == {"success", *CODES}
    wrong = {}
    for number, vector in enumerate(ours):
        if (number % 2 == 1) == by_pipe:
            code, written = opened(vector, tmp_path, by_pipe)
            if vector.expect == "success":
                right = code == 0 and hashlib.sha256(written).hexdigest() == vector.payload
            else:
                right = code == CODES[vector.expect] and written == b""
            if not right:
                wrong[vector.name] = (vector.expect, code, len(written))
    assert wrong == {}


def opened(vector: Vector, tmp_path: Path, by_pipe: bool) -> tuple[int, bytes]:
    """Run the command; return its exit code and what it wrote."""
    identity, sealed = tmp_path / "identity.txt", tmp_path / "sealed.age"
    identity.write_text("".join(f"{line}\n" for line in vector.identities))
    command = [sys.executable, "-m", "appliance.cli.main", "open", "--identity", str(identity)]
    if by_pipe:
        done = subprocess.run(command, input=vector.sealed, capture_output=True, timeout=60)
    else:
        sealed.write_bytes(vector.sealed)
        with sealed.open("rb") as file:
            done = subprocess.run(command, stdin=file, capture_output=True, timeout=60)
    assert b"Traceback" not in done.stderr, vector.name
    return done.returncode, done.stdout


def test_vectors_for_other_kinds_of_recipients_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    """An identity of ours fits none of them; a file that is well formed is refused as somebody else's."""
    identity = tmp_path / "identity.txt"
    identity.write_text(Identity.generate().reveal() + "\n")
    others = [vector for vector in vectors().values() if not vector.ours]
    assert len(others) > 40
    for vector in others:
        sink = io.BytesIO()
        with pytest.raises(NegatoError) as caught:
            open_command(identity, io.BytesIO(vector.sealed), sink)
        assert sink.getvalue() == b"", vector.name
        if vector.expect == "success":
            assert caught.value.exit_code == REFUSED, vector.name
