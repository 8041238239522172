"""The part of a text that shows best why it was found, with the hits marked."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, pairwise

from gitmaild.model.search import KEYS, Phrase, Prefix, Query, Term, leaves
from gitmaild.rules.analysis import fold

WIDTH = 160
# How much of a text is looked at, and how many places in it: what is shown is short.
_LOOKED_AT, _PLACES = 64 * 1024, 48
# How far an end of the cut may move to where a word begins or ends.
_SNAP = 15

_LETTER = r"[^\W_]"
# Control characters could speak to a terminal; white space of any kind is one space.
_BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Snippet:
    """One line of text, and which parts of it are hits."""

    text: str
    hits: tuple[Span, ...] = ()

    def marked(self, before: str = "**", after: str = "**") -> str:
        shown, at = [], 0
        for start, end in self.hits:
            shown += [self.text[at:start], before, self.text[start:end], after]
            at = end
        return "".join([*shown, self.text[at:]])


class Needles:
    """What a query looks for in texts, ready to be looked for in the text of each hit."""

    def __init__(self, query: Query) -> None:
        wanted = dict.fromkeys(pattern for leaf, negated in leaves(query) if not negated for pattern in _patterns(leaf))
        self._strict = [re.compile(strict) for strict, _ in wanted]
        self._loose = [re.compile(loose) for _, loose in wanted]

    def snippet(self, text: str, width: int = WIDTH) -> Snippet:
        """About `width` characters around the hits; the beginning of the text where it holds none."""
        text = text[:_LOOKED_AT]
        folded, origin = _folded(text)
        spans: list[tuple[int, int, int]] = []
        for number, (strict, loose) in enumerate(zip(self._strict, self._loose, strict=True)):
            # Inside a word only where it stands nowhere by itself: as `repo` in `UserRepo`.
            for first, last in list(_places(strict, folded)) or _places(loose, folded):
                spans.append((origin[first], max(origin[last - 1] + 1, origin[last]), number))
        spans.sort()
        start, end = _window(text, spans, width)
        return _cut(text, start, end, _merged([(a, b) for a, b, _ in spans if start <= a and b <= end]))


def _places(pattern: re.Pattern[str], text: str) -> Iterator[Span]:
    return (m.span() for m in islice(pattern.finditer(text), _PLACES) if m.end() > m.start())


def _patterns(leaf: Query) -> Iterator[tuple[str, str]]:
    """(pattern, the same inside words) for a leaf that speaks of texts."""
    match leaf:
        case Term(field, text) if field != KEYS:
            yield _whole(_literal(text)), _literal(text)
        case Prefix(field, text) if field != KEYS:
            yield rf"(?<!{_LETTER}){_literal(text)}{_LETTER}*", _literal(text)
        case Phrase(_, terms):
            inner = _phrase(terms)
            yield _whole(inner), inner


def _literal(term: str) -> str:
    return re.escape(term).replace("/", r"[/\\]")  # terms have one kind of slash, texts two


def _whole(pattern: str) -> str:
    return rf"(?<!{_LETTER}){pattern}(?!{_LETTER})"


def _phrase(terms: tuple[str, ...]) -> str:
    """Words with anything but letters between them; overlapping pairs of characters put together again."""
    shown = re.escape(terms[0])
    for before, term in pairwise(terms):
        overlap = len(before) == 2 and term[0] == before[1] and not term.isascii()
        shown += re.escape(term[1:]) if overlap else rf"[\W_]*{re.escape(term)}"
    return shown


def _folded(text: str) -> tuple[str, range | list[int]]:
    """The text as its terms are compared, and where each of its characters, and the end, came from."""
    if text.isascii():
        return text.lower(), range(len(text) + 1)
    parts = [_fold(character) for character in text]
    return "".join(parts), [*(at for at, part in enumerate(parts) for _ in part), len(text)]


_fold = lru_cache(maxsize=4096)(fold)


def _window(text: str, spans: list[tuple[int, int, int]], width: int) -> Span:
    """The stretch that shows the most of what was asked for, the earliest of several."""
    if len(text) <= width:
        return 0, len(text)
    first, most = 0, 0
    for start, _, _ in spans[:_PLACES]:
        shown = len({n for a, b, n in spans if start <= a and b <= start + width})
        if shown > most:
            first, most = start, shown
    last = max((b for a, b, _ in spans if first <= a and b <= first + width), default=first)
    start = max(0, min(first - (width - (last - first)) // 2, len(text) - width))
    return _snapped(text, start, min(len(text), start + width), first, last)


def _snapped(text: str, start: int, end: int, first: int, last: int) -> Span:
    """The same stretch, beginning and ending between words where that takes nothing from the hits."""
    if start > 0 and (space := _BLANK.search(text, start, min(first, start + _SNAP))):
        start = space.end()
    if end < len(text):
        spaces = [m.start() for m in _BLANK.finditer(text, max(last, end - _SNAP), end)]
        end = spaces[-1] if spaces else end
    return start, max(end, start)


def _merged(spans: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in spans:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _cut(text: str, start: int, end: int, hits: list[Span]) -> Snippet:
    shown, marks, at = "… " if start > 0 else "", [], start
    for first, last in hits:
        shown += _BLANK.sub(" ", text[at:first])
        begin = len(shown)
        shown += _BLANK.sub(" ", text[first:last])
        marks.append((begin, len(shown)))
        at = last
    shown += _BLANK.sub(" ", text[at:end])
    if start == 0 and not marks:
        shown = shown.lstrip()
    return Snippet(shown + (" …" if end < len(text) else ""), tuple(marks))
