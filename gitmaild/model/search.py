"""What is searched, and what is asked: documents as an index takes them, queries as it gets them.

Both are finished here: text has been analysed, names resolved, dates made numbers. So an engine compares terms with terms
and decides nothing, and two engines that do so find the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from gitmaild.model.errors import MailError, Refused, Verdict, refuse

# A field that is not named: the words of the subject or those of the body.
ANYWHERE = ""
TEXTS = ("subject", "body")
# No field of `Document` but one of queries: exact keys such as `from:greencastle`.
KEYS = "keys"


# Terms that a prefix may stand for: more would keep others waiting.
MOST_EXPANSIONS = 1_000


class IndexDamaged(MailError):
    """The index cannot be used: torn, of another version, not ours. It is thrown away and made anew from git."""

    code = "index-damaged"


class IndexUnavailable(MailError):
    """The index is busy, or the disk refuses: nothing is wrong with it as far as anybody knows."""

    code = "index-unavailable"
    verdict = Verdict.TEMPORARY


@dataclass(frozen=True, slots=True)
class Document:
    """A message, analysed. The terms of a text stand in the order of its words; `keys` has no order."""

    key: str  # project/message id
    oid: str  # the blob that holds the message
    created: int  # microseconds since 1970
    subject: tuple[str, ...] = ()
    body: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """A document that was found. `score` is 0 where the order is that of time."""

    created: int
    key: str
    oid: str
    score: float = 0.0


# --- what a query can ask; each node matches a set of documents


@dataclass(frozen=True, slots=True)
class Term:
    field: str  # one of TEXTS, KEYS or ANYWHERE
    text: str


@dataclass(frozen=True, slots=True)
class Prefix:
    field: str
    text: str


@dataclass(frozen=True, slots=True)
class Phrase:
    """These terms one after the other, all in the same text."""

    field: str  # one of TEXTS or ANYWHERE
    terms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """Created at or after `start` and before `end`, in microseconds since 1970."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class State:
    """`is:unread`: what only the mailbox can tell. `rules.query.resolve` puts `Among` in its place."""

    name: str


@dataclass(frozen=True, slots=True)
class Among:
    """The documents with these keys."""

    keys: frozenset[str]


@dataclass(frozen=True, slots=True)
class And:
    parts: "tuple[Query, ...]"


@dataclass(frozen=True, slots=True)
class Or:
    parts: "tuple[Query, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    part: "Query"


Query = Term | Prefix | Phrase | Between | State | Among | And | Or | Not


def leaves(query: Query, *, negated: bool = False) -> Iterator[tuple[Query, bool]]:
    """(node, whether it stands below an odd number of Nots) for every node that holds no other."""
    match query:
        case And(parts) | Or(parts):
            for part in parts:
                yield from leaves(part, negated=negated)
        case Not(part):
            yield from leaves(part, negated=not negated)
        case _:
            yield query, negated


def too_broad(prefix: Prefix) -> Refused:
    text = prefix.text.partition(":")[2] if prefix.field == KEYS else prefix.text
    why = f"{text}* stands for more than {MOST_EXPANSIONS:,} words"
    return refuse("too-broad", why, "write more letters before the *", field="query")
