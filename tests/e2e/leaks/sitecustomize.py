"""Breaks the appliance on purpose: a process that starts with this on its path leaks as ``LEAK`` says.

Python imports a module of this name by itself at its start (docs: ``site``).
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from typing import Any

LEAK = os.environ.get("LEAK", "")


def _spill(encoding: str) -> None:
    """Write the patient's name into a temporary file."""
    from appliance.dicom import note as notes

    to_bytes = notes.to_bytes

    def leaking(note: notes.Note) -> bytes:
        name = note.attributes["00100010"]["Value"][0]["Alphabetic"]
        handle, _ = tempfile.mkstemp()
        with os.fdopen(handle, "wb") as file:
            file.write(name.encode(encoding, "replace"))
        return to_bytes(note)

    notes.to_bytes = leaking


def _unsealed_note() -> None:
    """Write notes in clear."""
    from appliance.ingest import receive

    class Unsealed(receive.SealingWriter):
        def __init__(self, sink: Any, recipients: Any) -> None:
            super().__init__(sink, recipients)
            self._in_clear = sink

        def write(self, data: Any) -> None:
            if bytes(data[:2]) == b'{"':
                self._in_clear.write(data)
            super().write(data)

    receive.SealingWriter = Unsealed  # type: ignore[misc]


def _plain_index() -> None:
    """Keep the index in a database without a key."""
    import sqlcipher3

    from appliance.index import engine

    class Plain(sqlcipher3.Connection):
        def execute(self, statement: str, *parameters: Any) -> Any:
            if "key" in statement.lower() and statement.lower().lstrip().startswith("pragma"):
                statement = "SELECT 1"
            return super().execute(statement, *parameters)

    connect = engine.sqlcipher3.connect
    engine.sqlcipher3.connect = lambda *a, **k: connect(*a, **{**k, "factory": Plain})


def _logged_queries() -> None:
    """Log every request with its address, as uvicorn does by default."""
    import uvicorn

    plain = uvicorn.Config.__init__

    def talkative(self: Any, app: Any, **named: Any) -> None:
        plain(self, app, **{**named, "access_log": True, "log_config": uvicorn.config.LOGGING_CONFIG})
        logging.getLogger("uvicorn.access").setLevel(logging.INFO)

    uvicorn.Config.__init__ = talkative  # type: ignore[method-assign]


if LEAK and "run" in sys.orig_argv:
    _process = sys.orig_argv[-1]
    if LEAK.startswith("spill ") and _process == "receiver":
        _spill(LEAK.removeprefix("spill "))
    elif LEAK == "note" and _process == "receiver":
        _unsealed_note()
    elif LEAK == "index" and _process == "web":
        _plain_index()
    elif LEAK == "log" and _process == "web":
        _logged_queries()
