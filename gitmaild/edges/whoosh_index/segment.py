"""One segment of an index, and the walk through it from the newest document to the oldest.

A segment is searched in windows of document numbers, the last ones first, each four times as long as the one before: twenty
hits of a common word cost the newest few hundred documents. In a window, a query is sets of numbers: the rarest term gives
the candidates, the others are only asked about those, and positions are read for what is left.
"""

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from heapq import nlargest
from itertools import accumulate
from typing import Any, assert_never

from whoosh.reading import SegmentReader, TermNotFound

from gitmaild.edges.whoosh_index.codec import Codec, sequence
from gitmaild.model.search import (
    ANYWHERE,
    KEYS,
    MOST_EXPANSIONS,
    TEXTS,
    Among,
    And,
    Between,
    Hit,
    Not,
    Or,
    Phrase,
    Prefix,
    Query,
    State,
    Term,
    too_broad,
)

_FIRST_WINDOW, _GROWTH = 256, 4
# Of the terms that a prefix stands for, those that are counted when it is said how well a text answers.
_WEIGHED = 16
# A term in this many documents or fewer is one block: read at once, and kept.
_BLOCK = 128

_SUBJECT_WEIGHT = 4.0
_K, _B = 1.2, 0.75


def mark(key: str) -> int:
    """A number that stands for a document's key: 64 bits of a hash."""
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big", signed=True)


@lru_cache(maxsize=8)
def _marks_of(keys: frozenset[str]) -> frozenset[int]:
    return frozenset(map(mark, keys))


class Segment:
    """Opened once, read by any number of walks; its files may be deleted meanwhile."""

    def __init__(self, storage: Any, schema: Any, segment: Any) -> None:
        self.name: str = segment.segment_id()
        self._reader = SegmentReader(storage, schema, segment, codec=Codec())
        # Deletions are seen to here: for them, Whoosh's reader would wrap each term's postings in a filter.
        self._reader.deleted_docs_set = frozenset()
        self.created = self._column("created")
        self.marks = self._column("mark")
        self.words = self._column("words")
        self.order = {field: self._reader.column_reader(f"{field}_order", translate=False) for field in TEXTS}
        self.count = len(self.created)
        self.deleted: frozenset[int] = frozenset(segment.deleted_docs())
        # The newest that stands before each number; None where all stand in the order of time.
        newest = array("q", accumulate(self.created, max))
        self._newest = None if newest == self.created else newest
        self.first, self.last = min(self.created, default=0), max(self.created, default=0)
        if self.count:
            self.names(0)  # opens the file, which may be gone when it is needed

    def names(self, number: int) -> tuple[str, str]:
        """(key, blob id) of a document."""
        key, oid = self._reader.stored_fields(number)["names"]
        return str(key), str(oid)

    def hit(self, number: int, score: float = 0.0) -> Hit:
        return Hit(self.created[number], *self.names(number), score)

    def numbers(self, marks: set[int]) -> Iterator[int]:
        """The documents that these marks stand for."""
        if marks.isdisjoint(self.marks):  # nearly always; and a set of all marks would take 70 bytes for each
            return iter(())
        return (n for n, found in enumerate(self.marks) if found in marks and n not in self.deleted)

    def expansions(self, prefix: Prefix) -> set[bytes]:
        """The terms that begin so; a few too many are enough to say that there are too many."""
        found: set[bytes] = set()
        for field in _fields(prefix.field):
            for term in self._reader.expand_prefix(field, prefix.text.encode()):
                found.add(term)
                if len(found) > MOST_EXPANSIONS:
                    return found
        return found

    def walk(self, query: Query) -> Iterator[tuple[int, int]]:
        """(created, number) of every document that matches, newest first."""
        search = Search(self, query)
        start, end = self._bounds(query)
        waiting: list[tuple[int, int]] = []
        size = _FIRST_WINDOW
        while end > start:
            begin = max(start, end - size)
            found = search.within(begin, end) - self.deleted
            waiting += [(self.created[number], number) for number in found]
            waiting.sort()
            # What was written late may be older than what stands before it: it waits for its turn.
            older = -math.inf if begin == start else (self._newest or self.created)[begin - 1]
            while waiting and waiting[-1][0] > older:
                yield waiting.pop()
            end, size = begin, size * _GROWTH
        while waiting:
            yield waiting.pop()

    def _bounds(self, query: Query) -> tuple[int, int]:
        """The numbers between which all documents of the query's dates are."""
        start, end = 0, self.count
        for part in query.parts if isinstance(query, And) else (query,):
            if isinstance(part, Between):
                start = max(start, bisect_left(self._newest or self.created, part.start))
                if self._newest is None:
                    end = min(end, bisect_left(self.created, part.end))
        return start, end

    def matcher(self, field: str, term: bytes) -> Any | None:
        try:
            return self._reader.postings(field, term)
        except TermNotFound:
            return None

    def frequency(self, field: str, term: bytes) -> int:
        return int(self._reader.doc_frequency(field, term))

    def _column(self, name: str) -> "array[int]":
        return self._reader.column_reader(name, translate=False).whole()  # type: ignore[no-any-return]


class Search:
    """One query in one segment: what windows have in common is looked up once."""

    def __init__(self, segment: Segment, query: Query) -> None:
        self._segment, self._query = segment, query
        self._small: dict[tuple[str, bytes], set[int]] = {}
        self._frequencies: dict[tuple[str, bytes], int] = {}
        self._spread: dict[Prefix, tuple[set[int], list[tuple[str, bytes]]]] = {}

    def within(self, start: int, end: int) -> set[int]:
        return self._find(self._query, start, end, None)

    def _find(self, query: Query, start: int, end: int, wanted: set[int] | None) -> set[int]:
        """The documents of a window that match, of the wanted ones where some are named."""
        if start >= end or (wanted is not None and not wanted):
            return set()
        match query:
            case Term(field, text):
                return self._union([(f, text.encode()) for f in _fields(field)], start, end, wanted)
            case Prefix():
                small, terms = self._prefix(query)
                return self._union(terms, start, end, wanted) | _cut(small, start, end, wanted)
            case Phrase(field, texts):
                return set[int]().union(*(self._phrase(f, texts, start, end, wanted) for f in _fields(field)))
            case And(parts):
                return self._all(parts, start, end, wanted)
            case Or(parts):
                return set[int]().union(*(self._find(part, start, end, wanted) for part in parts))
            case _:
                return self._filter(query, set(range(start, end)) if wanted is None else wanted, start, end)

    def _filter(self, query: Not | Between | Among | State, numbers: set[int], start: int, end: int) -> set[int]:
        """What is left of these documents of a window."""
        match query:
            case Not(part):
                return numbers - self._find(part, start, end, numbers)
            case Between(since, before):
                created = self._segment.created
                return {n for n in numbers if since <= created[n] < before}
            case Among(keys):
                marks, asked = self._segment.marks, _marks_of(keys)
                return {n for n in numbers if marks[n] in asked}
            case State(name):
                raise ValueError(f"is:{name} was not resolved")
            case _:
                assert_never(query)

    def _all(self, parts: tuple[Query, ...], start: int, end: int, wanted: set[int] | None) -> set[int]:
        for part in sorted(parts, key=self._cost):
            wanted = self._find(part, start, end, wanted)
            if not wanted:
                break
        return wanted if wanted is not None else set(range(start, end))

    def _cost(self, query: Query) -> float:
        """How many documents a part may leave, roughly: the rarest is asked first, and what needs all others last."""
        match query:
            case Term(field, text):
                return sum(self._frequency(f, text.encode()) for f in _fields(field))
            case Phrase(field, texts):
                return sum(min(self._frequency(f, t.encode()) for t in texts) for f in _fields(field)) + 1
            case Among(keys):
                return len(keys)
            case And(parts):
                return min(map(self._cost, parts))
            case Prefix():
                return self._segment.count / 4
            case Or(parts):
                return sum(map(self._cost, parts))
            case _:
                return math.inf

    def _frequency(self, field: str, term: bytes) -> int:
        key = field, term
        if key not in self._frequencies:
            self._frequencies[key] = self._segment.frequency(field, term)
        return self._frequencies[key]

    def _union(self, terms: list[tuple[str, bytes]], start: int, end: int, wanted: set[int] | None) -> set[int]:
        return set[int]().union(*(self._postings(field, term, start, end, wanted) for field, term in terms))

    def _postings(self, field: str, term: bytes, start: int, end: int, wanted: set[int] | None) -> set[int]:
        frequency = self._frequency(field, term)
        if not frequency:
            return set()
        if frequency == self._segment.count:  # as the key of a home's only project
            return set(range(start, end)) if wanted is None else wanted
        if frequency <= _BLOCK:
            return _cut(self._few(field, term), start, end, wanted)
        matcher = self._segment.matcher(field, term)
        if matcher is None:
            return set()
        if wanted is not None:
            return matcher.among(sorted(wanted))  # type: ignore[no-any-return]
        return matcher.between(start, end)  # type: ignore[no-any-return]

    def _few(self, field: str, term: bytes) -> set[int]:
        key = field, term
        if key not in self._small:
            matcher = self._segment.matcher(field, term)
            self._small[key] = matcher.between(0, self._segment.count) if matcher else set()
        return self._small[key]

    def _prefix(self, prefix: Prefix) -> tuple[set[int], list[tuple[str, bytes]]]:
        """(the documents of all rare terms that begin so, the terms that are not rare)."""
        if prefix not in self._spread:
            small: set[int] = set()
            terms = []
            for field in _fields(prefix.field):
                for term in self._segment.expansions(Prefix(field, prefix.text)):
                    if self._frequency(field, term) <= _BLOCK:
                        small |= self._few(field, term)
                    else:
                        terms.append((field, term))
            self._spread[prefix] = small, terms
        return self._spread[prefix]

    def _phrase(self, field: str, texts: tuple[str, ...], start: int, end: int, wanted: set[int] | None) -> set[int]:
        terms = {text.encode() for text in texts}
        for term in sorted(terms, key=lambda t: self._frequency(field, t)):
            if wanted is not None and self._frequency(field, term) > self._segment.count / 2:
                break  # a word of nearly every text strikes out few, and to compare is cheaper than to ask
            wanted = self._postings(field, term, start, end, wanted)
            if not wanted:
                return set()
        needle, order = sequence(texts), self._segment.order[field]
        return {number for number in wanted or () if _holds(order[number], needle)}

    # --- how well

    def scores(self, numbers: set[int], idf: dict[tuple[str, bytes], float], mean: float) -> dict[int, float]:
        """BM25 of these documents, for the terms that `idf` weighs."""
        ordered = sorted(numbers)
        scores = dict.fromkeys(ordered, 0.0)
        for (field, term), weight in idf.items():
            matcher = self._segment.matcher(field, term)
            for number, frequency in matcher.weights(ordered) if matcher else ():
                length = 1.0 if field == "subject" else 1 - _B + _B * self._segment.words[number] / mean
                scores[number] += weight * frequency * (_K + 1) / (frequency + _K * length)
        return scores

    def weighed_terms(self, leaf: Query) -> Iterator[tuple[str, bytes]]:
        """The terms of a leaf that say how well a text answers."""
        match leaf:
            case Term(field, text) if field != KEYS:
                yield from ((f, text.encode()) for f in _fields(field))
            case Phrase(field, texts):
                yield from ((f, text.encode()) for f in _fields(field) for text in texts)
            case Prefix(field) if field != KEYS:
                expansions = ((f, term) for f in _fields(field) for term in self._segment.expansions(Prefix(f, leaf.text)))
                yield from nlargest(_WEIGHED, expansions, key=lambda found: self._frequency(*found))


def weight_of(field: str, frequency: int, count: int) -> float:
    """How much a term says: the rarer, the more; in a subject more than in a body."""
    rarity = math.log(1 + (count - frequency + 0.5) / (frequency + 0.5))
    return rarity * (_SUBJECT_WEIGHT if field == "subject" else 1.0)


def check_prefix(segments: list[Segment], prefix: Prefix) -> None:
    """Refuse a prefix that stands for so many terms that its answer would keep others waiting."""
    found: set[bytes] = set()
    for segment in segments:
        found |= segment.expansions(prefix)
        if len(found) > MOST_EXPANSIONS:
            raise too_broad(prefix)


def _fields(field: str) -> tuple[str, ...]:
    return TEXTS if field == ANYWHERE else (field,)


def _cut(numbers: set[int], start: int, end: int, wanted: set[int] | None) -> set[int]:
    if wanted is not None:
        return numbers & wanted
    return {number for number in numbers if start <= number < end}


def _holds(order: bytes, needle: bytes) -> bool:
    at = order.find(needle)
    while at > 0 and at % 4:
        at = order.find(needle, at + 1)
    return at >= 0
