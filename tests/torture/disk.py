"""What a disk may hold after a power cut, when nothing that was not synced has reached it.

The most pessimistic disk that POSIX allows: a file's bytes are those of its last fsync, and the names in a directory
(created, renamed, linked, removed) are those of the directory's last fsync. Directories themselves are always there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.torture.shim import CREATED, DIRECTORY, TRUNCATED, Call, Record

Ignored = Callable[[str, bool, str], bool]


@dataclass(slots=True, eq=False)
class File:
    """One file: what a process sees, and what would survive."""

    now: bytearray
    synced: bytes = b""


@dataclass(slots=True)
class Disk:
    """The files below a state directory, by their paths relative to it."""

    root: str
    names: dict[str, File] = field(default_factory=dict)
    synced: dict[str, File] = field(default_factory=dict)
    handles: dict[tuple[int, int], tuple[str, File | None]] = field(default_factory=dict)

    def put(self, name: str, raw: bytes) -> None:
        """Say that a file lies there from the beginning."""
        self.names[name] = self.synced[name] = File(bytearray(raw), raw)

    def apply(self, record: Record, ignored: Ignored, site: str) -> bool:
        """Follow one record; return whether what would survive may have changed by it.

        A sync for which ``ignored`` holds is taken as not done: of the name of a file or directory at that time, and of
        ``site``, the functions that ask for it.
        """
        match record.call:
            case Call.OPEN:
                self._open(record)
            case Call.WRITE | Call.TRUNCATE:
                self._write(record)
            case Call.CLOSE:
                self.handles.pop((record.pid, record.fd), None)
            case Call.RENAME | Call.LINK:
                self._name(record)
            case Call.UNLINK:
                self.names.pop(self._short(record.path), None)
            case Call.SYNC:
                return self._sync(record, ignored, site)
        return False

    def survives(self) -> dict[str, bytes]:
        """Return every file that a cut at this moment leaves."""
        return {name: file.synced for name, file in self.synced.items()}

    def survives_early(self, path: str) -> dict[str, bytes]:
        """Return the same, but that this one name, of all that were not synced, had reached the disk already."""
        name = self._short(path)
        return self.survives() | {name: self.names[name].synced}

    def _short(self, path: str) -> str:
        return path.removeprefix(self.root).lstrip("/")

    def _open(self, record: Record) -> None:
        name = self._short(record.path)
        if record.flags & DIRECTORY:
            self.handles[record.pid, record.fd] = name, None
            return
        if record.flags & CREATED or name not in self.names:
            self.names[name] = File(bytearray())
        file = self.names[name]
        if record.flags & TRUNCATED:
            file.now.clear()
        self.handles[record.pid, record.fd] = name, file

    def _write(self, record: Record) -> None:
        file = self.handles.get((record.pid, record.fd), ("", None))[1]
        assert file is not None, "written to a file that was never opened"
        if record.call is Call.TRUNCATE:
            del file.now[record.offset :]
            return
        end = record.offset + len(record.data)
        if len(file.now) < end:
            file.now.extend(bytes(end - len(file.now)))
        file.now[record.offset : end] = record.data

    def _name(self, record: Record) -> None:
        source, target = self._short(record.path), self._short(record.other)
        file = self.names[source] if record.call is Call.LINK else self.names.pop(source)
        self.names[target] = file

    def _sync(self, record: Record, ignored: Ignored, site: str) -> bool:
        name, file = self.handles[record.pid, record.fd]
        if ignored(name, file is None, site):
            return False
        if file is not None:
            file.synced = bytes(file.now)
            return True
        inside = f"{name}/" if name else ""
        for known in [known for known in self.synced if _parent(known) == inside]:
            del self.synced[known]
        self.synced |= {known: file for known, file in self.names.items() if _parent(known) == inside}
        return True


def _parent(name: str) -> str:
    head, slash, _ = name.rpartition("/")
    return head + slash
