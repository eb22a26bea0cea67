"""``appliance open``: any X25519 age file in, its plaintext out."""

from __future__ import annotations

import errno
import sys
import tempfile
from pathlib import Path
from typing import IO, BinaryIO

from appliance.errors import BadInput, EnvironmentProblem, StorageFull
from appliance.sealing.header import read_header
from appliance.sealing.identities import parse_identities, unwrap
from appliance.sealing.reader import SealedReader

_PIECE = 1024 * 1024
_IN_MEMORY = 8 * 1024 * 1024
_LONGEST_IDENTITY_FILE = 64 * 1024


def open_command(
    identity: Path,
    source: BinaryIO | None = None,
    sink: BinaryIO | None = None,
    tmp: Path | None = None,
) -> None:
    """Open the sealed file on ``source`` (standard input) with an identity file, write plaintext to ``sink`` (standard
    output).

    Two passes: the whole input is verified before the first byte is written, so a file that must fail has written
    nothing. Between them lies ciphertext only: up to 8 MiB in memory, above that in a temporary file without a name
    in ``tmp`` (or the system's directory). Raises :class:`BadInput` for the identity file, :class:`Refused` if the
    file is sealed to somebody else, :class:`Damaged` if it is not exactly an age v1 file, :class:`StorageFull`,
    :class:`EnvironmentProblem`.
    """
    source = sys.stdin.buffer if source is None else source
    sink = sys.stdout.buffer if sink is None else sink
    identities = parse_identities(_identity_text(identity))
    header = read_header(source)
    file_key = unwrap(identities, header)
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, dir=None if tmp is None else str(tmp)) as spool:
        _spool(header.raw, source, spool)
        reader = SealedReader(spool, file_key)
        for _ in reader.chunks():
            pass
        try:
            for chunk in reader.chunks():
                sink.write(chunk)
            sink.flush()
        except OSError as error:
            raise EnvironmentProblem("The plaintext cannot be written.", "Look where the output goes.") from error


def _identity_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(_LONGEST_IDENTITY_FILE + 1)
        return raw.decode("utf-8")
    except OSError as error:
        raise BadInput("The identity file cannot be read.", "Name an existing file with --identity.") from error
    except UnicodeDecodeError as error:
        raise BadInput("The identity file is not text.", "Name the file that holds the key.") from error


def _spool(head: bytes, source: BinaryIO, spool: IO[bytes]) -> None:
    try:
        spool.write(head)
        while piece := source.read(_PIECE):
            spool.write(piece)
        spool.flush()
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(
                "There is no room for the sealed file's temporary copy.", "Name another --tmp."
            ) from error
        raise EnvironmentProblem(
            "The sealed file cannot be read or copied.", "Look where the input comes from."
        ) from error
