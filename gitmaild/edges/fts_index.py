"""The search index on SQLite's FTS5: one file, no dependency.

The terms come ready made, so the tokenizer only cuts at spaces. The table keeps no content: bodies are in git. Row ids are
times with a few bits to spare, so that walking them backwards is newest first, and a range of dates is a range of rows.

What SQLite itself survives (kill, power cut) needs no care here: documents and checkpoint are one transaction. SQLite finds
other damage only where it breaks the structure; a changed word it would believe. So the file is sealed, and one that is not
as we left it is not used.
"""

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from urllib.parse import quote

from gitmaild.edges import index_directory
from gitmaild.edges.fts_query import ALL, KEY, SPARE, kept, match_of, select
from gitmaild.edges.index_directory import Seal, SealState
from gitmaild.model.search import (
    MOST_EXPANSIONS,
    And,
    Document,
    Hit,
    IndexDamaged,
    IndexUnavailable,
    Not,
    Or,
    Prefix,
    Query,
    Term,
    too_broad,
)

VERSION = 1
_NAME = "fts5.db"
_SEAL = "fts5.seal"
_CACHE_KIB = 8 * 1024
_BUSY_SECONDS = 2.0
# SQLite's log is moved to the file after this many documents, or fewer where each had a commit of its own.
_LONG_LOG, _COMMIT = 1_000, 20

# The tokenizer folds ASCII and cuts at ASCII that is no letter: all of that but spaces is kept. Quotes are in no term.
_ASCII_SIGNS = "".join(chr(n) for n in range(33, 127) if not chr(n).isalnum() and chr(n) not in "'\"")
_SCHEMA = f"""
CREATE TABLE document(rowid INTEGER PRIMARY KEY, key TEXT UNIQUE, oid TEXT NOT NULL);
CREATE TABLE reached(oid TEXT NOT NULL);
INSERT INTO reached VALUES ('');
CREATE VIRTUAL TABLE term USING fts5(subject, body, keys, content='', tokenize="ascii tokenchars '{_ASCII_SIGNS}'");
"""
# Failures that say nothing about the file's content.
_PASSING = frozenset(
    {
        sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH,
    }
)  # fmt: skip


class FtsIndex:
    """Satisfies `app.ports.SearchIndex`."""

    engine = "fts5"
    batch = 100

    def __init__(self, directory: Path) -> None:
        self._directory, self._path = directory, directory / _NAME
        self._seal = Seal(self._path, directory / _SEAL)
        # Questions have a connection of their own: a walk that somebody has not finished must not hold up the writer.
        self._db: sqlite3.Connection | None = None
        self._writer: sqlite3.Connection | None = None
        self._logged = 0

    def open(self, *, writing: bool) -> None:
        self.close()
        index_directory.prepare(self._directory, make=writing)
        if not writing and not self._path.exists():
            raise IndexDamaged("there is no search index yet")
        with _guarded():
            state = self._seal.read() if writing and self._path.exists() else SealState.OURS
            if state is SealState.FOREIGN:
                raise IndexDamaged("the search index is not as it was left")
            try:
                if writing:
                    self._writer = self._connect(f"file:{quote(str(self._path))}")
                    self._make_tables()
                # Opened read-only, a connection never writes to the file, not even when it is the last to be closed.
                self._db = self._connect(f"file:{quote(str(self._path))}?mode=ro")
                self._check_version()
                self._run("CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab(main, term, row)")
                if state is SealState.UNSURE:
                    self._look_closely()
                self.checkpoint()
                if writing:
                    self._move_log("PASSIVE")
            except BaseException:
                self._disconnect()
                raise

    def checkpoint(self) -> str:
        """The commit that the index reaches to."""
        with _guarded():
            row = self._run("SELECT oid FROM reached").fetchone()
        return str(row[0]) if row else ""

    def add(self, documents: Sequence[Document], checkpoint: str, *, gone: Sequence[str] = ()) -> None:
        """Add documents, replacing those of the same key, take out those of the keys in `gone`; all or nothing."""
        with _guarded(), self._transaction():
            for key in gone:
                self._forget(key)
            for document in documents:
                self._forget(document.key)
                self._insert(document)
            self._write("UPDATE reached SET oid = ?", checkpoint)
        with _guarded():
            self._logged += len(documents) + _COMMIT
            if self._logged > _LONG_LOG:
                self._move_log("PASSIVE")

    def newest(self, query: Query) -> Iterator[Hit]:
        """Every document that matches, newest first, found as they are asked for."""
        with _guarded():
            query = self._spelt_out(query)
            sql, parameters = select(query, "0.0")
            rows = self._run(f"{sql} ORDER BY {'term' if match_of(query) else 'd'}.rowid DESC", *parameters)
            hits = (Hit(rowid >> SPARE, key, oid) for rowid, key, oid, _ in rows)
            for _, same in groupby(hits, lambda hit: hit.created):
                yield from sorted(same, reverse=True, key=lambda hit: hit.key)

    def best(self, query: Query, limit: int) -> list[Hit]:
        """The documents that match best, the newer of two that match alike."""
        with _guarded():
            query = self._spelt_out(query)
            sql, parameters = select(query, "-bm25(term, 4.0, 1.0, 0.0)" if match_of(query) else "0.0")
            rows = self._run(f"{sql} ORDER BY 4 DESC, d.rowid DESC LIMIT ?", *parameters, limit)
            return [Hit(rowid >> SPARE, key, oid, score) for rowid, key, oid, score in rows]

    def size(self) -> int:
        """How many documents there are."""
        with _guarded():
            return int(self._run("SELECT count(key) FROM document").fetchone()[0])

    def bytes_used(self) -> int:
        return index_directory.size(self._directory)

    def tend(self) -> bool:
        """A little upkeep; True where more of it waits."""
        with _guarded():
            before = _opened(self._writer).total_changes
            self._write("INSERT INTO term(term, rank) VALUES ('merge', 200)")
            return _opened(self._writer).total_changes - before >= 2

    def clear(self) -> None:
        """Throw everything away, damaged or not, and begin anew."""
        self._disconnect()
        shutil.rmtree(self._directory, ignore_errors=True)
        self.open(writing=True)

    def close(self) -> None:
        with contextlib.suppress(sqlite3.Error, OSError):  # where it fails, the next opening looks closely
            if self._writer is not None:
                self._move_log("TRUNCATE")
        self._disconnect()

    # --- the file

    def _connect(self, uri: str) -> sqlite3.Connection:
        db = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_BUSY_SECONDS)
        if "?" not in uri:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA wal_autocheckpoint = 0")
            # Whatever a power cut takes is indexed again: the checkpoint goes with it.
            db.execute("PRAGMA synchronous = NORMAL")
        db.execute(f"PRAGMA cache_size = {-_CACHE_KIB}")
        db.execute("PRAGMA trusted_schema = OFF")
        return db

    def _disconnect(self) -> None:
        for db in (self._db, self._writer):
            if db is not None:
                db.close()
        self._db = self._writer = None

    def _run(self, sql: str, *parameters: object) -> sqlite3.Cursor:
        return _opened(self._db).execute(sql, parameters)

    def _write(self, sql: str, *parameters: object) -> sqlite3.Cursor:
        return _opened(self._writer).execute(sql, parameters)

    def _make_tables(self) -> None:
        if not self._write("SELECT 1 FROM sqlite_schema").fetchone():
            _opened(self._writer).executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")

    def _check_version(self) -> None:
        version = self._run("PRAGMA user_version").fetchone()[0]
        if version != VERSION:
            raise IndexDamaged(f"the search index has version {version}, this gitmaild writes {VERSION}")

    def _look_closely(self) -> None:
        said = self._run("PRAGMA quick_check(1)").fetchone()[0]
        if said != "ok":
            raise IndexDamaged(f"the search index is damaged: {said}")
        self._write("INSERT INTO term(term) VALUES ('integrity-check')")

    def _move_log(self, how: str) -> None:
        """Bring what SQLite has in its log to the file, and say which file is ours then."""
        self._seal.doubt()
        self._write(f"PRAGMA wal_checkpoint({how})")
        self._seal.put()
        self._logged = 0

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._write("BEGIN IMMEDIATE")
        try:
            yield
            self._write("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._write("ROLLBACK")
            raise

    # --- rows

    def _spelt_out(self, query: Query) -> Query:
        """The query with each prefix as the terms that begin so: FTS5 would first put all their documents together.

        Raises `Refused` for a prefix that stands for too many.
        """
        match query:
            case And(parts):
                return And(tuple(map(self._spelt_out, parts)))
            case Or(parts):
                return Or(tuple(map(self._spelt_out, parts)))
            case Not(part):
                return Not(self._spelt_out(part))
            case Prefix(field, text):
                first = kept(field, text)
                begins = "SELECT term FROM temp.vocabulary WHERE term >= ? AND term < ? LIMIT ?"
                found = self._run(begins, first, f"{first}\U0010ffff", MOST_EXPANSIONS + 1).fetchall()
                if len(found) > MOST_EXPANSIONS:
                    raise too_broad(query)
                skipped = len(first) - len(text)
                return Or(tuple(Term(field, term[skipped:]) for (term,) in found)) if found else Term(field, text)
            case _:
                return query

    def _forget(self, key: str) -> None:
        # The row stays: its terms do too, and must not become those of another document.
        self._write("UPDATE document SET key = NULL WHERE key = ?", key)

    def _insert(self, document: Document) -> None:
        rowid = document.created << SPARE
        taken = self._write("SELECT max(rowid) FROM document WHERE rowid BETWEEN ? AND ?", rowid, rowid | (1 << SPARE) - 1)
        if (last := taken.fetchone()[0]) is not None:
            rowid = last + 1
        self._write("INSERT INTO document(rowid, key, oid) VALUES (?, ?, ?)", rowid, document.key, document.oid)
        keys = " ".join([ALL, *(f"{KEY}{key}" for key in document.keys)])
        texts = (" ".join(document.subject), " ".join(document.body), keys)
        self._write("INSERT INTO term(rowid, subject, body, keys) VALUES (?, ?, ?, ?)", rowid, *texts)


def _opened(db: sqlite3.Connection | None) -> sqlite3.Connection:
    if db is None:
        raise IndexDamaged("the search index is not open")
    return db


@contextlib.contextmanager
def _guarded() -> Iterator[None]:
    """One kind of exception for whatever SQLite says about a file that cannot be used."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        kind = IndexUnavailable if code in _PASSING else IndexDamaged
        raise kind(f"the search index cannot be used: {error}") from error
    except UnicodeDecodeError as error:
        raise IndexDamaged(f"the search index cannot be used: {error}") from error
