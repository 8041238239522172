"""What a word or a phrase of a query becomes: the terms that `rules.analysis` has put into an index for it."""

from collections.abc import Iterable, Sequence

from gitmaild.model.ids import MESSAGE_ID
from gitmaild.model.search import KEYS, And, Or, Phrase, Prefix, Query, Term
from gitmaild.rules.analysis import Word, names, pairs, runs, words

SHORTEST_PREFIX = 3


def all_of(parts: Sequence[Query]) -> Query:
    flat = dict.fromkeys(inner for part in parts for inner in (part.parts if isinstance(part, And) else (part,)))
    return And(tuple(flat)) if len(flat) > 1 else next(iter(flat))


def any_of(parts: Sequence[Query]) -> Query:
    flat = dict.fromkeys(inner for part in parts for inner in (part.parts if isinstance(part, Or) else (part,)))
    return Or(tuple(flat)) if len(flat) > 1 else next(iter(flat))


def word(field: str, text: str, *, is_prefix: bool) -> Query | None:
    """A word as it was typed, which may be a path, a dotted name, or several words without a space. None: nothing in it."""
    found = names(words(text))
    if not found:
        return None
    if MESSAGE_ID.fullmatch(text) and not field:
        return any_of([Term(KEYS, f"id:{text}"), _name(field, found[0])])
    if is_prefix and not found[-1][-1].cjk:  # pairs of characters are found inside words anyway
        return _beginning(field, found)
    return _name(field, found[0]) if len(found) == 1 else _in_order(field, [w for name in found for w in name])


def phrase(field: str, text: str) -> Query | None:
    """Words in this order, nothing between them. A single name is the same with quotes and without."""
    found = names(words(text))
    if len(found) == 1:
        return _name(field, found[0])
    return _in_order(field, [w for name in found for w in name]) if found else None


def _name(field: str, name: list[Word]) -> Query:
    """One name. Every run of its words must be there; a single word with its signs, where it has some."""
    if any(w.cjk for w in name):
        return _in_order(field, name)
    if len(name) > 1:
        return all_of([Term(field, run) for run in runs(name)])
    (only,) = name
    signed = ([only.lead + only.text] if only.lead else []) + ([only.text + only.trail] if only.trail else [])
    return all_of([Term(field, text) for text in signed or [only.text]])


def _in_order(field: str, found: list[Word]) -> Query:
    """A phrase. Writing without spaces may go on where the query ends, so its last character is no term of its own there."""
    *before, last = found
    terms = [term for w in before for term in _terms(w)]
    if not last.cjk:
        return _phrase(field, [*terms, last.text])
    if len(last.text) > 1:
        return _phrase(field, [*terms, *pairs(last.text)[:-1]])
    alone: Query = Term(field, last.text)
    return all_of([_phrase(field, terms), alone]) if terms else alone


def _beginning(field: str, found: list[list[Word]]) -> Query:
    """What begins like this: the last run of the name, or the last of several words."""
    *before, name = found
    whole = [Prefix(field, run) if last else Term(field, run) for run, last in _marked(_runs_of(name))]
    if not before:
        return all_of(whole)
    return all_of([_phrase(field, [term for several in before for w in several for term in _terms(w)]), *whole])


def _runs_of(name: list[Word]) -> list[str]:
    return runs(name) if len(name) > 1 else [name[0].lead + name[0].text]


def _marked(texts: Sequence[str]) -> Iterable[tuple[str, bool]]:
    return ((text, index == len(texts) - 1) for index, text in enumerate(texts))


def _terms(w: Word) -> list[str]:
    return pairs(w.text) if w.cjk else [w.text]


def _phrase(field: str, terms: list[str]) -> Query:
    return Phrase(field, tuple(terms)) if len(terms) > 1 else Term(field, terms[0])
