"""``appliance open``: any X25519 age file in, its plaintext out."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
import tempfile
from pathlib import Path
from typing import Annotated, BinaryIO, TextIO

import typer

from appliance.errors import BadInput, EnvironmentProblem, StorageFull
from appliance.sealing.armor import without_armor
from appliance.sealing.header import Header, read_header
from appliance.sealing.identities import Identity, parse_identities, unwrap
from appliance.sealing.reader import SealedReader
from appliance.sealing.sink import write_all
from appliance.sealing.words import from_words

_PIECE = 1024 * 1024
_IN_MEMORY = 8 * 1024 * 1024
_LONGEST_IDENTITY_FILE = 64 * 1024
IDENTITY_PREFIX = "AGE-SECRET-KEY-1"
FEWEST_WORDS = 12  # so many are meant as recovery words, and one that is missing is said


def open_sealed(
    identity: Annotated[Path, typer.Option(help="File with an age identity, or the 24 words of a recovery sheet.")],
    tmp: Annotated[Path | None, typer.Option(help="Directory for a large input's ciphertext.")] = None,
) -> None:
    """Open a sealed file: appliance open --identity FILE < sealed > plain. Writes nothing unless all of it verifies."""
    open_command(identity, tmp=tmp)


def open_command(
    identity: Path,
    source: BinaryIO | None = None,
    sink: BinaryIO | None = None,
    tmp: Path | None = None,
) -> None:
    """Open the sealed file on ``source`` (standard input) with an identity file, write plaintext to ``sink`` (output).

    The file may be in its text form (armor), too.

    Two passes: the whole input is verified before the first byte is written, so a file that must fail has written
    nothing. A regular file is read twice in place. Other input is spooled between the passes, as ciphertext: up to
    8 MiB in memory, above that in a temporary file without a name in ``tmp`` (or the system's directory).

    Raises :class:`BadInput` for the identity file, :class:`Refused` if the file is sealed to somebody else,
    :class:`Damaged` if it is not exactly an age v1 file, :class:`StorageFull`, :class:`EnvironmentProblem`.
    """
    source = source or _standard(sys.stdin, "input")
    sink = sink or _standard(sys.stdout, "output")
    identities = _identities(_identity_text(identity))
    try:
        source = without_armor(source)
        header = read_header(source)
        file_key = unwrap(identities, header)
        if _starts_a_file(source, header):
            _verify_then_write(SealedReader(source, file_key), sink)
            return
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, dir=None if tmp is None else str(tmp)) as spool:
            spool.write(header.raw)
            shutil.copyfileobj(source, spool, _PIECE)
            _verify_then_write(SealedReader(spool, file_key), sink)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull("There is no room for the output or the temporary copy.", "Make room.") from error
        raise EnvironmentProblem(
            "The sealed file cannot be read, or the output not written.", "Look where input and output go."
        ) from error


def _standard(stream: TextIO | None, name: str) -> BinaryIO:
    if stream is None:
        raise EnvironmentProblem(
            f"Standard {name} is closed.", "Write: appliance open --identity FILE < sealed > plain"
        )
    return stream.buffer


def _verify_then_write(reader: SealedReader, sink: BinaryIO) -> None:
    for _ in reader.chunks():
        pass
    # The second pass verifies again: nothing is taken on trust from the first.
    for chunk in reader.chunks():
        write_all(sink, chunk)
    sink.flush()


def _starts_a_file(source: BinaryIO, header: Header) -> bool:
    """Return whether the sealed file is a regular file from its first byte on, which can be read twice in place."""
    try:
        return stat.S_ISREG(os.fstat(source.fileno()).st_mode) and source.tell() == len(header.raw)
    except (OSError, ValueError):
        return False


def _identities(text: str) -> list[Identity]:
    """Return the identities of an age identity file, or the one that the words of a recovery sheet stand for.

    The words may be copied as they are printed, with their numbers.
    """
    words = [word for word in text.split() if not word.isdecimal()]
    if len(words) >= FEWEST_WORDS and all(word.isalpha() for word in words):
        return [Identity(from_words(" ".join(words)))]
    try:
        return parse_identities(text)
    except BadInput as error:
        lines = [line for line in text.split("\n") if line.strip() and not line.startswith("#")]
        if IDENTITY_PREFIX in text and not all(line.startswith(IDENTITY_PREFIX) for line in lines):
            raise BadInput(
                "This file holds an age identity and something else.",
                f"Copy the line that begins with {IDENTITY_PREFIX} into a file of its own.",
            ) from error
        raise


def _identity_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(_LONGEST_IDENTITY_FILE + 1)
        return raw.decode("utf-8")
    except OSError as error:
        raise BadInput("The identity file cannot be read.", "Name an existing file with --identity.") from error
    except UnicodeDecodeError as error:
        raise BadInput("The identity file is not text.", "Name the file that holds the key.") from error
