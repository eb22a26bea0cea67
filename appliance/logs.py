"""Log lines: JSON on standard error, one event with named fields, never a patient, a secret or a library's message."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from pathlib import Path

import structlog

FOREIGN = ("pynetdicom", "pydicom", "uvicorn", "sqlalchemy", "alembic", "asyncio")


def configure(process: str) -> None:
    """Set up this process's log; libraries are silenced, since their messages may quote what they were given."""
    for name in FOREIGN:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        logging.getLogger(name).propagate = False
    structlog.configure(
        processors=[
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.add_log_level,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    _process["name"] = process
    sys.excepthook = lambda _kind, error, _trace: log_unexpected(error)
    threading.excepthook = lambda failed: log_unexpected(failed.exc_value or SystemError())


_process = {"name": ""}


def log(event: str, **fields: object) -> None:
    """Write one line."""
    structlog.get_logger().info(event, process=_process["name"], **fields)


def log_unexpected(error: BaseException) -> None:
    """Write where an unexpected error came from and of what kind it is, not what it says: that may quote a patient."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    where = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames]
    structlog.get_logger().error("unexpected", process=_process["name"], kind=type(error).__name__, where=where)
