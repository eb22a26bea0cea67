"""What every key file in keys/ must be: ``SHA256SUMS``, in the form of sha256sum(1).

A key file is sealed to several readers, and whoever cannot open it any more because one bit of it was turned looks like
somebody who was never given it. The list tells damage from that, and it does so without any key, on a backup too:
``sha256sum -c SHA256SUMS``. It needs no secret and stops nobody who writes on purpose. Its last line is a comment with
the SHA-256 of those above. While a file is being replaced two lines name it, so that a cut at any point accuses nobody.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.errors import Damaged
from appliance.keyring.disk import remove_key_file, write_key_file
from appliance.paths import StatePaths
from appliance.regular import read_regular

LARGEST = 1024 * 1024
LOOKS = 3

_LINE = re.compile(r"([0-9a-f]{64})  ([0-9a-z][0-9a-z.]*)")
_OWN = "# "

Sums = dict[str, set[str]]


@dataclass(frozen=True, slots=True)
class NewKeyFile:
    """A key file about to be written; ``like`` as in :func:`appliance.keyring.disk.write_key_file`."""

    path: Path
    content: bytes
    like: Path | None = None


def write_summed(paths: StatePaths, files: Sequence[NewKeyFile]) -> None:
    """Write files of keys/ durably, one after the other, with the list before and after; the caller holds the keys.

    Errors as :func:`write_key_file`; :class:`Damaged` when there is no list and a file cannot be read.
    """
    sums = _known(paths)
    new = {file.path.name: {hashlib.sha256(file.content).hexdigest()} for file in files}
    _write(paths, {name: sums.get(name, set()) | new.get(name, set()) for name in sums.keys() | new.keys()})
    for file in files:
        write_key_file(file.path, file.content, like=file.like)
    _write(paths, sums | new)


def read_key_file(path: Path) -> bytes:
    """Return the bytes of a key file; :class:`Damaged` when there is none, no plain file, or one of over a MiB."""
    try:
        return read_regular(path, LARGEST)
    except OSError as error:
        raise Damaged(f"The key file {path.name} cannot be read.", "Restore keys/ from a backup.") from error


def remove_summed(paths: StatePaths, files: Sequence[Path]) -> None:
    """Remove files of keys/ durably, in this order, then their lines; harmless for those that are not there."""
    for path in files:
        remove_key_file(path)
    names = {path.name for path in files}
    _write(paths, {name: digests for name, digests in _known(paths).items() if name not in names})


def read_sums(paths: StatePaths) -> Sums | None:
    """Return the digests that each file may have; ``None`` for an archive of a version that kept none.

    Raises :class:`Damaged` when the list is not as it was written.
    """
    try:
        raw = read_regular(paths.key_sums, LARGEST)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable() from error
    sums: Sums = {}
    for line in raw.decode("ascii", "replace").split("\n")[:-2]:
        match = _LINE.fullmatch(line)
        if match is None:
            raise _unreadable()
        sums.setdefault(match[2], set()).add(match[1])
    if _render(sums) != raw:
        raise _unreadable()
    return sums


def is_as_written(paths: StatePaths, path: Path) -> bool:
    """Return whether a key file is the one that was written, as far as the list tells; it may be missing itself.

    What does not fit is looked at again: list and file are read one after the other, and a command may have replaced
    the file in between.
    """
    for _ in range(LOOKS):
        try:
            sums = read_sums(paths)
            if sums is None or hashlib.sha256(read_regular(path, LARGEST)).hexdigest() in sums.get(path.name, ()):
                return True
        except (Damaged, FileNotFoundError):
            return True
        except OSError:
            return False
    return False


def _unreadable() -> Damaged:
    return Damaged("keys/SHA256SUMS is not as it was written.", "Restore keys/ from a backup.")


def _known(paths: StatePaths) -> Sums:
    """Return the list; what was not listed cannot be verified, and the list is begun afresh with what lies there."""
    try:
        known = read_sums(paths)
    except Damaged:
        known = None
    return _as_they_are(paths) if known is None else known


def _as_they_are(paths: StatePaths) -> Sums:
    files = (path for path in paths.keys.iterdir() if path.suffix in (".age", ".pub"))
    return {path.name: {hashlib.sha256(read_key_file(path)).hexdigest()} for path in files}


def _write(paths: StatePaths, sums: Sums) -> None:
    # Whoever may read a public key may read this: the key agent and the pages do.
    like = next(iter(sorted(paths.keys.glob("*.pub"))), None)
    write_key_file(paths.key_sums, _render(sums), like=like)


def _render(sums: Sums) -> bytes:
    lines = "".join(f"{digest}  {name}\n" for name in sorted(sums) for digest in sorted(sums[name]))
    return f"{lines}{_OWN}{hashlib.sha256(lines.encode('ascii')).hexdigest()}\n".encode("ascii")
