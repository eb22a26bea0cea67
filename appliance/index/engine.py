"""The encrypted SQLite file behind the index, opened through SQLAlchemy.

Threads: SQLite in WAL mode lets readers go on while one writer writes, each reader seeing the last commit
before its own transaction began. Every thread takes a connection of its own from the pool for the length of
one operation, and a lock in this process makes writers queue instead of failing.

Durability: ``synchronous=FULL``. The index is derived, so NORMAL would lose nothing that a rebuild does not
bring back; but a settled object whose row vanished in a power cut would be silently missing from the list
until somebody rebuilds. One sync of the WAL a batch is the price.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlcipher3
from sqlalchemy import Connection, create_engine
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlcipher import SQLiteDialect_pysqlcipher
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from appliance.errors import Damaged, EnvironmentProblem, NegatoError, StorageFull

READERS = 4  # connections kept; more are opened under load and closed again
CACHE_KIB = 8192  # decrypted pages a connection may keep
REBUILD = "Run: appliance index rebuild"


class RawKeyDialect(SQLiteDialect_pysqlcipher):
    """``sqlite+pysqlcipher`` without its ``PRAGMA key`` from the URL's password.

    The key is set by the creator function and so is in no URL, which SQLAlchemy would keep, print and hash;
    the stock dialect would then set an empty one, which SQLCipher refuses.
    """

    supports_statement_cache = True

    def on_connect_url(self, url: URL) -> Callable[[Any], Any] | None:
        """Skip the parent's: what plain SQLite does after connecting is right here."""
        return SQLiteDialect_pysqlite.on_connect_url(self, url)


registry.register("sqlite.pysqlcipher_rawkey", __name__, "RawKeyDialect")


class EncryptedFile:
    """One SQLCipher database; ``reading()`` and ``writing()`` hand out connections in a transaction."""

    def __init__(self, path: Path, key: bytes) -> None:
        """Prepare to open ``path`` with the 32 byte ``key``; nothing is touched yet."""
        if len(key) != 32:
            raise EnvironmentProblem("The index key has the wrong length.", REBUILD)
        self._lock = threading.Lock()
        self._engine = create_engine(
            "sqlite+pysqlcipher_rawkey://",
            creator=lambda: _connect(path, key),
            poolclass=QueuePool,
            pool_size=READERS,
            max_overflow=28,
            hide_parameters=True,  # values are patients' data: never in an exception's text
            echo=False,
        )

    def close(self) -> None:
        """Close every pooled connection; the last one folds the WAL into the file."""
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Hand out a connection on one snapshot; database errors come out as :class:`NegatoError`."""
        with _translated(), self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Hand out the only writing connection; commits at the end, rolls back on any exception."""
        with self._lock, _translated(), self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            connection.commit()


def _connect(path: Path, key: bytes) -> Any:
    connection = sqlcipher3.connect(str(path), isolation_level=None, check_same_thread=False, timeout=10)
    try:
        connection.execute("PRAGMA cipher_log_level = NONE")  # it would write to stderr by itself
        connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        connection.execute("PRAGMA trusted_schema = OFF")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise _verdict(str(error.orig)) from None
    except sqlcipher3.Error as error:
        raise _verdict(str(error)) from None


def _verdict(text: str) -> NegatoError:
    """Turn SQLite's text into an error of ours; the text itself can quote stored values and is dropped."""
    if "is full" in text:
        return StorageFull("There is no room for the index.", "Free space on the disk.")
    if "unable to open" in text or "readonly" in text or "I/O" in text or "locked" in text:
        return EnvironmentProblem(
            "The index cannot be opened or written.", "Check the state directory's rights and disk."
        )
    return Damaged("The index cannot be read: damaged, or its key is another.", REBUILD)
