"""Says of each sync which function asked for it: loaded by every Python process of a box (see :func:`sited`).

The library in front of libc sees a descriptor and no caller. Before each fsync or fdatasync this writes a mark with the
process and the descriptor of the sync to come, and with the innermost functions of ours, without those that only pass
a sync on.
"""

from __future__ import annotations

from pathlib import Path

from tests.box import Box

PROGRAM = """
import json, os, sys

PASS_ON = {"sync_directory", "_sync_directory", "FileDraft.sync"}

def _site():
    frame, names = sys._getframe(2), []
    while frame is not None and len(names) < 2:
        code = frame.f_code
        ours = "/appliance/" in code.co_filename and code.co_qualname not in PASS_ON
        if ours and "__" not in code.co_qualname and "<" not in code.co_qualname:
            place = code.co_filename.rpartition("/appliance/")[2].removesuffix(".py").replace("/", ".")
            names.append(f"{place}.{code.co_qualname}")
        frame = frame.f_back
    return " < ".join(names)

def _told(real):
    def call(fd):
        number = fd if isinstance(fd, int) else fd.fileno()
        data = json.dumps({"site": _site()}).encode()
        head = HEAD.pack(MAGIC, HEAD.size + len(data), MARK, 0, os.getpid(), number, 0, 0, 0, len(data), 0)
        journal = os.open(os.environ["NEGATO_SHIM_JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        os.write(journal, head + data)
        os.close(journal)
        return real(fd)
    return call

import struct
HEAD, MAGIC, MARK = struct.Struct("<IIIIqqqIIII"), 0x4E45474F, 9
os.fsync, os.fdatasync = _told(os.fsync), _told(os.fdatasync)
"""


def sited(box: Box) -> None:
    """Have what is started with the box's environment from now on say where its syncs come from."""
    folder = box.root / "sites"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(PROGRAM)
    root = Path(__file__).parents[2]
    box.environment["PYTHONPATH"] = f"{folder}:{root}"
