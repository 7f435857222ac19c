"""Where an index is kept: its file below the user's cache folder, its tables, and what becomes of a broken one."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ecr_widgets.audit.row import MADE_BY
from ecr_widgets.audit.seal_book import TABLES
from ecr_widgets.model.bucket_path import BucketPath, Place
from ecr_widgets.model.user_folders import cache_folder

_VERSION = 100 * MADE_BY + 18
"""The version of the tables and of all rules behind a row; an index with another number is rebuilt."""
_TABLES = """
CREATE TABLE runs (
  number INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL UNIQUE, changed_ns INTEGER NOT NULL,
  size INTEGER NOT NULL, inode INTEGER NOT NULL, verdict TEXT NOT NULL, state TEXT, runbook TEXT, run_id TEXT,
  started_at TEXT, row BLOB NOT NULL, seal TEXT
);
CREATE INDEX runs_by_start ON runs (started_at DESC, path);
CREATE INDEX runs_by_id ON runs (run_id);
CREATE TABLE touched (
  kind TEXT NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL, started_at TEXT,
  PRIMARY KEY (kind, name, number)
) WITHOUT ROWID;
CREATE INDEX touched_by_run ON touched (number);
CREATE TRIGGER forgotten AFTER DELETE ON runs BEGIN DELETE FROM touched WHERE number = old.number; END;
"""


def index_file(runs: Place) -> Path:
    """Where the index of a folder or bucket is kept: in the user's cache folder (XDG_CACHE_HOME)."""
    place = str(runs).encode() if isinstance(runs, BucketPath) else os.fsencode(os.path.realpath(runs))
    name = hashlib.sha256(place).hexdigest()[:24]
    return cache_folder() / "audit" / f"{name}.sqlite"


@contextmanager
def held(file: Path, operation: int = fcntl.LOCK_SH) -> Iterator[None]:
    """Keep the index's files in place; only the exclusive holder may remove them."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check_own(file)
    handle = os.open(file.with_name(f"{file.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, operation)
        yield
    finally:
        os.close(handle)


def _check_own(file: Path) -> None:
    """Refuse an index that another user may have written: it could say anything about runs."""
    for path, others in ((file.parent, 0o022), (file, 0)):
        with suppress(FileNotFoundError):
            about = path.lstat()
            if about.st_uid != os.geteuid() or about.st_mode & others or stat.S_ISLNK(about.st_mode):
                raise PermissionError(
                    errno.EPERM, "another user owns it or can change it, or it is a link", str(path)
                )


def open_database(file: Path | None) -> sqlite3.Connection:
    """Open the database with its tables; in memory if there is no file. What another release made is made again."""
    database = sqlite3.connect(file or ":memory:", timeout=30, isolation_level=None)
    try:
        if file is not None:
            file.chmod(0o600)
            database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = OFF")
        # So that the trigger also fires when a row is replaced.
        database.execute("PRAGMA recursive_triggers = ON")
        _make_tables(database)
    except BaseException:
        database.close()
        raise
    return database


def _make_tables(database: sqlite3.Connection) -> None:
    if database.execute("PRAGMA user_version").fetchone()[0] == _VERSION:
        return
    database.execute("BEGIN IMMEDIATE")
    # Another process may have created them while this one waited.
    if database.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
        for name in ("runs", "touched", "keys", "chains", "seals", "sealed", "retired"):
            database.execute(f"DROP TABLE IF EXISTS {name}")
        for statement in (_TABLES + TABLES).split(";\n"):
            database.execute(statement)
        database.execute(f"PRAGMA user_version = {_VERSION}")
    database.execute("COMMIT")


def remove(file: Path) -> None:
    """Remove a broken index.

    Raises:
        OSError: It cannot be removed, or another process has it open, so it must not be removed.
    """
    with held(file, fcntl.LOCK_EX | fcntl.LOCK_NB):
        for ending in ("", "-wal", "-shm"):
            file.with_name(file.name + ending).unlink(missing_ok=True)
