"""What a query means, without any index: whether a document matches. For what no index has yet, and for tests."""

from collections.abc import Iterable
from typing import assert_never

from gitmaild.model.search import (
    ANYWHERE,
    KEYS,
    TEXTS,
    Among,
    And,
    Between,
    Document,
    Not,
    Or,
    Phrase,
    Prefix,
    Query,
    State,
    Term,
)


def matches(query: Query, document: Document) -> bool:
    """True where the document is in the answer. States must have been resolved."""
    match query:
        case Term(field, text):
            return any(text in terms for terms in _texts(field, document))
        case Prefix(field, text):
            return any(term.startswith(text) for terms in _texts(field, document) for term in terms)
        case Phrase(field, terms):
            return any(_holds(found, terms) for found in _texts(field, document))
        case Between(start, end):
            return start <= document.created < end
        case Among(keys):
            return document.key in keys
        case And(parts):
            return all(matches(part, document) for part in parts)
        case Or(parts):
            return any(matches(part, document) for part in parts)
        case Not(part):
            return not matches(part, document)
        case State(name):
            raise ValueError(f"is:{name} was not resolved")
        case _:
            assert_never(query)


def _texts(field: str, document: Document) -> Iterable[tuple[str, ...]]:
    if field == KEYS:
        return (document.keys,)
    return tuple(getattr(document, name) for name in (TEXTS if field == ANYWHERE else (field,)))


def _holds(found: tuple[str, ...], terms: tuple[str, ...]) -> bool:
    size = len(terms)
    return any(found[at : at + size] == terms for at in range(len(found) - size + 1))
