"""The age command, an independent reader and writer of the same format, agrees with us."""

from __future__ import annotations

import io
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from appliance.cli.open import open_command
from appliance.sealing.header import read_header
from appliance.sealing.identities import Identity, parse_identities, unwrap
from appliance.sealing.reader import SealedReader, open_sealed
from appliance.sealing.recipients import Recipient
from appliance.sealing.stream import CHUNK_SIZE
from appliance.sealing.writer import seal

SIZES = [0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 2 * CHUNK_SIZE, 5 * CHUNK_SIZE + 12345]


def run(program: str, *arguments: str, given: bytes = b"") -> bytes:
    path = shutil.which(program)
    assert path is not None, f"{program} is not in PATH: apt-get install age"
    done = subprocess.run([path, *arguments], input=given, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, f"{program}: {done.stderr.decode(errors='replace')}"
    return done.stdout


def plain(size: int) -> bytes:
    return random.Random(size).randbytes(size)


@pytest.fixture
def keygen_file(tmp_path: Path) -> Path:
    path = tmp_path / "keygen.txt"
    run("age-keygen", "-o", str(path))
    return path


@pytest.mark.parametrize("size", SIZES)
def test_age_opens_what_we_seal(keygen_file: Path, size: int) -> None:
    recipient = Recipient.parse(run("age-keygen", "-y", str(keygen_file)).decode().strip())
    sealed = seal(plain(size), [Identity.generate().recipient(), recipient])
    assert run("age", "-d", "-i", str(keygen_file), given=sealed) == plain(size)


@pytest.mark.parametrize("size", SIZES)
def test_we_open_what_age_seals(keygen_file: Path, size: int) -> None:
    [identity] = parse_identities(keygen_file.read_text())
    sealed = run("age", "-r", str(identity.recipient()), given=plain(size))
    file_key = unwrap([identity], read_header(io.BytesIO(sealed)))
    assert open_sealed(sealed, file_key) == plain(size)
    reader = SealedReader(io.BytesIO(sealed), file_key)
    assert reader.read_at(size // 2, 1000) == plain(size)[size // 2 : size // 2 + 1000]


def test_age_opens_with_an_identity_of_ours_and_seals_to_it(tmp_path: Path) -> None:
    ours = Identity.generate()
    path = tmp_path / "ours.txt"
    path.write_text(ours.reveal() + "\n")
    assert run("age-keygen", "-y", str(path)).decode().strip() == str(ours.recipient())
    assert run("age", "-d", "-i", str(path), given=seal(b"ours", [ours.recipient()])) == b"ours"


def test_we_open_what_age_sealed_to_several_kinds_of_recipient(tmp_path: Path) -> None:
    ours, other = Identity.generate(), Identity.generate()
    ssh = tmp_path / "ssh.pub"
    public = Ed25519PrivateKey.generate().public_key()
    ssh.write_bytes(public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) + b"\n")
    sealed = run("age", "-R", str(ssh), "-r", str(other.recipient()), "-r", str(ours.recipient()), given=b"several")
    header = read_header(io.BytesIO(sealed))
    assert {"ssh-ed25519", "X25519"} <= {stanza.kind for stanza in header.stanzas}
    assert open_sealed(sealed, unwrap([ours], header)) == b"several"


@pytest.mark.parametrize("size", SIZES)
def test_what_age_seals_as_text_is_opened_by_the_command(tmp_path: Path, size: int) -> None:
    ours = tmp_path / "ours.txt"
    identity = Identity.generate()
    ours.write_text(identity.reveal() + "\n")
    text = run("age", "-a", "-r", str(identity.recipient()), given=plain(size))
    assert text.startswith(b"-----BEGIN")
    sink = io.BytesIO()
    open_command(ours, io.BytesIO(text), sink)
    assert sink.getvalue() == plain(size)
    open_command(ours, io.BytesIO(text.replace(b"\n", b"\r\n")), again := io.BytesIO())
    assert again.getvalue() == plain(size)
