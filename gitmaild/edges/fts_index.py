"""The search index on SQLite's FTS5: one file, no dependency.

The terms come ready made, so the tokenizer only cuts at spaces. The table keeps no content: bodies are in git. Row ids are
times with a few bits to spare, so that walking them backwards is newest first, and a range of dates is a range of rows.

What SQLite itself survives (kill, power cut) needs no care here: documents and checkpoint are one transaction. Other damage
shows at opening, where the file is not the one that was closed, or at use.
"""

import contextlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import assert_never

from gitmaild.edges import disk, index_directory
from gitmaild.model.search import (
    ANYWHERE,
    KEYS,
    MOST_EXPANSIONS,
    TEXTS,
    Among,
    And,
    Between,
    Document,
    Hit,
    IndexDamaged,
    IndexUnavailable,
    Not,
    Or,
    Phrase,
    Prefix,
    Query,
    State,
    Term,
    too_broad,
)

VERSION = 1
_NAME = "fts5.db"
_SEAL = "fts5.seal"
# Messages of one microsecond that can be told apart, as a power of two; a home never makes two.
_SPARE = 9
_FIRST, _LAST = 0, 2**53
# Every document has this term, so that everything but something can be asked for.
_ALL = "*"
_CACHE_KIB = 8 * 1024
_BUSY_SECONDS = 2.0

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
        self._directory, self._path, self._seal = directory, directory / _NAME, directory / _SEAL
        # Questions have a connection of their own: a walk that somebody has not finished must not hold up the writer.
        self._db: sqlite3.Connection | None = None
        self._writer: sqlite3.Connection | None = None
        self._sealed = b""

    def open(self, *, writing: bool) -> None:
        self.close()
        index_directory.prepare(self._directory, make=writing)
        if not writing and not self._path.exists():
            raise IndexDamaged("there is no search index yet")
        with _guarded():
            sealed = writing and self._is_sealed()
            try:
                if writing:
                    self._writer = self._connect()
                    self._make_tables()
                self._db = self._connect()
                self._check_version()
                self._run("CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab(main, term, row)")
                self._run("PRAGMA query_only = ON")
                if writing and not sealed:
                    self._look_closely()
                self.checkpoint()
                self._put_seal()
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
        self._put_seal()

    def newest(self, query: Query) -> Iterator[Hit]:
        """Every document that matches, newest first, found as they are asked for."""
        with _guarded():
            query = self._spelt_out(query)
            select, parameters = _select(query, "0.0")
            rows = self._run(f"{select} ORDER BY {'term' if _match_of(query) else 'd'}.rowid DESC", *parameters)
            hits = (Hit(rowid >> _SPARE, key, oid) for rowid, key, oid, _ in rows)
            for _, same in groupby(hits, lambda hit: hit.created):
                yield from sorted(same, reverse=True, key=lambda hit: hit.key)

    def best(self, query: Query, limit: int) -> list[Hit]:
        """The documents that match best, the newer of two that match alike."""
        with _guarded():
            query = self._spelt_out(query)
            select, parameters = _select(query, "-bm25(term, 4.0, 1.0, 0.0)" if _match_of(query) else "0.0")
            rows = self._run(f"{select} ORDER BY 4 DESC, d.rowid DESC LIMIT ?", *parameters, limit)
            return [Hit(rowid >> _SPARE, key, oid, score) for rowid, key, oid, score in rows]

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
            self._write("PRAGMA wal_checkpoint(PASSIVE)")
            self._put_seal()
            return _opened(self._writer).total_changes - before >= 2

    def clear(self) -> None:
        """Throw everything away, damaged or not, and begin anew."""
        self._disconnect()
        shutil.rmtree(self._directory, ignore_errors=True)
        self.open(writing=True)

    def close(self) -> None:
        with contextlib.suppress(sqlite3.Error, OSError):  # where it fails, the next opening looks closely
            if self._writer is not None:
                self._write("PRAGMA wal_checkpoint(TRUNCATE)")
                self._put_seal()
        self._disconnect()

    # --- the file

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, isolation_level=None, timeout=_BUSY_SECONDS)
        db.execute("PRAGMA journal_mode = WAL")
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

    def _is_sealed(self) -> bool:
        """True where the file is the one that we wrote last, as far as its inode tells, in this boot of the machine.

        What is in the log beside it has sums of SQLite's own, and a log that is gone or torn only takes the index back.
        """
        try:
            return self._seal.read_bytes() == self._mark()
        except OSError:
            return False

    def _put_seal(self) -> None:
        """Say which file is ours, whenever SQLite has written to it: now and then, at the end of a commit."""
        if self._writer is not None and (mark := self._mark()) != self._sealed:
            disk.replace(self._seal, mark)
            self._sealed = mark

    def _mark(self) -> bytes:
        about = os.stat(self._path)
        return f"{about.st_size} {about.st_mtime_ns} {disk.boot_id()}\n".encode()

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
                begins = "SELECT term FROM temp.vocabulary WHERE term >= ? AND term < ? LIMIT ?"
                found = self._run(begins, text, text + "\U0010ffff", MOST_EXPANSIONS + 1).fetchall()
                if len(found) > MOST_EXPANSIONS:
                    raise too_broad(query)
                return Or(tuple(Term(field, term) for (term,) in found)) if found else Term(field, text)
            case _:
                return query

    def _forget(self, key: str) -> None:
        # The row stays: its terms do too, and must not become those of another document.
        self._write("UPDATE document SET key = NULL WHERE key = ?", key)

    def _insert(self, document: Document) -> None:
        rowid = document.created << _SPARE
        taken = self._write("SELECT max(rowid) FROM document WHERE rowid BETWEEN ? AND ?", rowid, rowid | (1 << _SPARE) - 1)
        if (last := taken.fetchone()[0]) is not None:
            rowid = last + 1
        self._write("INSERT INTO document(rowid, key, oid) VALUES (?, ?, ?)", rowid, document.key, document.oid)
        texts = (" ".join(document.subject), " ".join(document.body), " ".join((*document.keys, _ALL)))
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


# --- from queries to SQL


def _select(query: Query, score: str) -> tuple[str, list[object]]:
    """A select of (row id, key, blob id, score), and its parameters.

    What can be asked of the terms is one MATCH, which FTS5 answers row by row in order; dates become a range of rows.
    """
    parts = query.parts if isinstance(query, And) else (query,)
    match = _match_of(query)
    start, end = _FIRST, _LAST
    where, parameters = ["d.key IS NOT NULL"], list[object]()
    for part in parts:
        if isinstance(part, Between):
            start, end = max(start, part.start), min(end, part.end)
        elif not _is_text(part):
            condition, values = _condition(part)
            where.append(condition)
            parameters += values
    source, rowid = "document d", "d.rowid"
    if match:
        # CROSS JOIN: the rows come from the terms, in their order, whatever the planner would like better.
        source, rowid = "term CROSS JOIN document d ON d.rowid = term.rowid", "term.rowid"
        where.insert(0, "term MATCH ?")
        parameters.insert(0, match)
    if (start, end) != (_FIRST, _LAST):
        where.append(f"{rowid} >= ? AND {rowid} < ?")
        parameters += [start << _SPARE, max(start, end) << _SPARE]
    return f"SELECT d.rowid, d.key, d.oid, {score} FROM {source} WHERE {' AND '.join(where)}", parameters


def _match_of(query: Query) -> str:
    """The part of a query that is about terms alone, '' where there is none."""
    parts = tuple(part for part in (query.parts if isinstance(query, And) else (query,)) if _is_text(part))
    return _match(And(parts)) if parts else ""


def _is_text(query: Query) -> bool:
    match query:
        case And(parts) | Or(parts):
            return all(map(_is_text, parts))
        case Not(part):
            return _is_text(part)
        case _:
            return isinstance(query, Term | Prefix | Phrase)


def _match(query: Query) -> str:
    match query:
        case Term(field, text):
            return _column(field, _quoted(text))
        case Prefix(field, text):
            return _column(field, f"{_quoted(text)} *")
        case Phrase(field, terms):
            return _column(field, _quoted(" ".join(terms)))
        case Or(parts):
            return "(" + " OR ".join(map(_match, parts)) + ")"
        case And(parts):
            wanted = [_match(part) for part in parts if not isinstance(part, Not)] or [_column(KEYS, _quoted(_ALL))]
            unwanted = [_match(part.part) for part in parts if isinstance(part, Not)]
            both = " AND ".join(wanted)
            return f"(({both}) NOT ({' OR '.join(unwanted)}))" if unwanted else f"({both})"
        case Not(_):
            return _match(And((query,)))
        case _:
            raise ValueError(f"not about terms: {query}")


def _column(field: str, words: str) -> str:
    return f"{{{' '.join(TEXTS)}}} : {words}" if field == ANYWHERE else f"{field} : {words}"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _condition(query: Query) -> tuple[str, list[object]]:
    """An SQL condition on a row of `document`, for what dates, keys and terms have in common."""
    match query:
        case Between(start, end):
            first, last = max(start, _FIRST), min(end, _LAST)
            return "(d.rowid >= ? AND d.rowid < ?)", [first << _SPARE, max(first, last) << _SPARE]
        case Among(keys):
            return "d.key IN (SELECT value FROM json_each(?))", [json.dumps(sorted(keys))]
        case Not(part):
            condition, values = _condition(part)
            return f"NOT {condition}", values
        case And(parts) | Or(parts) if not _is_text(query):
            found = [_condition(part) for part in parts]
            joined = (" AND " if isinstance(query, And) else " OR ").join(condition for condition, _ in found)
            return f"({joined})", [value for _, values in found for value in values]
        case Term() | Prefix() | Phrase() | And() | Or():
            return "d.rowid IN (SELECT rowid FROM term WHERE term MATCH ?)", [_match(query)]
        case State(name):
            raise ValueError(f"is:{name} was not resolved")
        case _:
            assert_never(query)
