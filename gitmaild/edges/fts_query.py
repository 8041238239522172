"""From queries to SQL, for `fts_index`: what FTS5 is asked, and how rows and terms are named there."""

import json
from typing import assert_never

from gitmaild.model.search import ANYWHERE, KEYS, TEXTS, Among, And, Between, Not, Or, Phrase, Prefix, Query, State, Term

# Messages of one microsecond that can be told apart, as a power of two; a home never makes two.
SPARE = 9
# Every document has this term, so that everything but something can be asked for.
ALL = "*"
# No word begins with this, so the words that begin somehow can be told from the keys that do.
KEY = "="
_FIRST, _LAST = 0, 2**53


def select(query: Query, score: str) -> tuple[str, list[object]]:
    """A select of (row id, key, blob id, score), and its parameters.

    What can be asked of the terms is one MATCH, which FTS5 answers row by row in order; dates become a range of rows.
    """
    parts = query.parts if isinstance(query, And) else (query,)
    match = match_of(query)
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
        parameters += [start << SPARE, max(start, end) << SPARE]
    return f"SELECT d.rowid, d.key, d.oid, {score} FROM {source} WHERE {' AND '.join(where)}", parameters


def match_of(query: Query) -> str:
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
            return _column(field, _quoted(kept(field, text)))
        case Prefix(field, text):
            return _column(field, f"{_quoted(kept(field, text))} *")
        case Phrase(field, terms):
            return _column(field, _quoted(" ".join(terms)))
        case Or(parts):
            return "(" + " OR ".join(map(_match, parts)) + ")"
        case And(parts):
            wanted = [_match(part) for part in parts if not isinstance(part, Not)] or [f"{KEYS} : {_quoted(ALL)}"]
            unwanted = [_match(part.part) for part in parts if isinstance(part, Not)]
            both = " AND ".join(wanted)
            return f"(({both}) NOT ({' OR '.join(unwanted)}))" if unwanted else f"({both})"
        case Not(_):
            return _match(And((query,)))
        case _:
            raise ValueError(f"not about terms: {query}")


def kept(field: str, text: str) -> str:
    """A term as it stands in the table."""
    return f"{KEY}{text}" if field == KEYS else text


def _column(field: str, words: str) -> str:
    return f"{{{' '.join(TEXTS)}}} : {words}" if field == ANYWHERE else f"{field} : {words}"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _condition(query: Query) -> tuple[str, list[object]]:
    """An SQL condition on a row of `document`, for what dates, keys and terms have in common."""
    match query:
        case Between(start, end):
            first, last = max(start, _FIRST), min(end, _LAST)
            return "(d.rowid >= ? AND d.rowid < ?)", [first << SPARE, max(first, last) << SPARE]
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
