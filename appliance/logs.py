"""Log lines: JSON on standard error, one event with named fields, never a patient, a secret or a library's message."""

from __future__ import annotations

import json
import logging
import sys
import threading
import traceback
from pathlib import Path

from appliance import clock

FOREIGN = (
    "aiohttp", "alembic", "async_upnp_client", "asyncio", "multipart", "pydicom", "pynetdicom", "sqlalchemy", "uvicorn",
)  # fmt: skip
_process = {"name": ""}


def configure(process: str) -> None:
    """Set up this process's log; libraries are silenced, since their messages may quote what they were given."""
    for name in FOREIGN:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        logging.getLogger(name).propagate = False
    _process["name"] = process
    sys.excepthook = lambda _kind, error, _trace: log_unexpected(error)
    threading.excepthook = lambda failed: log_unexpected(failed.exc_value or SystemError())


def log(event: str, **fields: object) -> None:
    """Write one line."""
    line = {"at": clock.stamp(clock.now()), "process": _process["name"], "event": event, **fields}
    sys.stderr.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")
    sys.stderr.flush()


def log_unexpected(error: BaseException) -> None:
    """Write where an unexpected error came from and of what kind it is, not what it says: that may quote a patient."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    where = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames]
    log("unexpected", kind=type(error).__name__, where=where)
