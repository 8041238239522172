"""From text to terms: one analysis for everything that is indexed and everything that is asked, whatever the engine.

A text becomes its words, in order, so that a phrase is words one after the other: lower case, accents folded, no stop words,
`snake_case` and `src/api/routes.py` taken apart at what is no letter. Writing without spaces becomes overlapping pairs of
characters. Behind the words come terms that a phrase never asks for:

- runs of two and three words with what stood between them (`src/api`, `api/routes`, `routes.py`, `br-123`), so that a name
  that somebody types, or any part of one, is one exact term or a few;
- the humps of `CamelCase`, one after the other;
- words with the signs that make them another word: `c++`, `--force`, `.env`;
- each single character of writing without spaces.

`tests/contracts/lookups.py` lists what every engine must find.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

# Longer words are cut, at indexing and at asking alike: encoded data that nobody types.
LONGEST = 128
# How many words a run has at most. A longer name is asked for by all its runs.
RUN = 3

_CJK = (
    "\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u3105-\u312f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff"
)
_SIGNS = "\u2190-\u21ff\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff"
_WORD = re.compile(rf"(?P<cjk>[{_CJK}]+)|[{_SIGNS}]|(?:(?![{_CJK}])[^\W_])+")
# What may stand between two words of one name.
_JOINT = re.compile(r"[-_./\\:@+#~&=%$]{1,3}")
# Signs that belong to a word: `--force`, `.env`, `@types`, `$HOME`, `#42`, `/etc`; `C++`, `C#`.
_LEAD = re.compile(r"(?<![\w.\-@$#/\\])(?:--|[.@$#/~])$|(?<=[/\\])[.@$#]$")
_TRAIL = re.compile(r"(?:\+\+|#)(?!\w)")
_HUMP = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_MARKS = re.compile("[\u0300-\u036f]")


class Word(NamedTuple):
    """A word as it stood in a text, folded. `joint` is what ties it to the word before, '' where nothing does."""

    text: str
    joint: str = ""
    lead: str = ""
    trail: str = ""
    cjk: bool = False
    humps: tuple[str, ...] = ()


def fold(text: str) -> str:
    """Lower case, without accents, one form for each character."""
    return _without_accents(text).casefold()


def terms(text: str) -> tuple[str, ...]:
    """The terms of a text: its words in order, then everything else that it can be found by, each once."""
    ordered: list[str] = []
    beside: dict[tuple[str, ...], None] = {}
    for chunk in _without_accents(text).split():
        in_order, extra = _chunk_terms(chunk) if len(chunk) <= LONGEST else _terms_of(chunk)
        ordered += in_order
        for several in extra:
            beside[several] = None
    return (*ordered, *(term for several in beside for term in several))


def words(text: str) -> list[Word]:
    """The words of a text, in order."""
    return [word for chunk in _without_accents(text).split() for word in _words(chunk)]


def names(found: list[Word]) -> list[list[Word]]:
    """Words grouped by what ties them: each group is one name as somebody typed it."""
    groups: list[list[Word]] = []
    for word in found:
        if word.joint:
            groups[-1].append(word)
        else:
            groups.append([word])
    return groups


def runs(name: list[Word]) -> list[str]:
    """The terms by which a name of two words or more is found: itself, or all its runs where it is longer than one."""
    size = min(RUN, len(name))
    return [_run(name[at : at + size]) for at in range(len(name) - size + 1)]


def pairs(text: str) -> list[str]:
    """Writing without spaces as overlapping pairs, and the last character by itself: so every character begins a term."""
    return [text[at : at + 2] for at in range(len(text))]


def _words(chunk: str) -> Iterator[Word]:
    """The words of a text that holds no white space."""
    end = 0
    for match in _WORD.finditer(chunk):
        start, cjk = match.start(), bool(match["cjk"])
        joint = chunk[end:start] if end and _JOINT.fullmatch(chunk, end, start) else ""
        lead, trail = _LEAD.search(chunk, max(0, start - 3), start), _TRAIL.match(chunk, match.end())
        raw, end = match[0][:LONGEST], match.end()
        yield Word(
            raw.casefold(),
            joint.replace("\\", "/"),
            lead[0] if lead else "",
            trail[0] if trail else "",
            cjk,
            () if cjk else _humps(raw),
        )


def _terms_of(chunk: str) -> tuple[list[str], list[tuple[str, ...]]]:
    """The terms of a text without white space: those in order, and those beside, several where they belong together."""
    ordered: list[str] = []
    beside: list[tuple[str, ...]] = []
    name: list[Word] = []
    for word in _words(chunk):
        ordered += pairs(word.text) if word.cjk else [word.text]
        name = [*name[1 - RUN :], word] if word.joint else [word]
        beside += [(_run(name[-size:]),) for size in range(2, len(name) + 1)]
        if word.cjk:
            beside += [(character,) for character in word.text]
        if word.lead:
            beside.append((word.lead + word.text,))
        if word.trail:
            beside.append((word.text + word.trail,))
        if word.humps:
            beside.append(word.humps)
    return ordered, beside


# Four fifths of a message are words that were there a moment ago.
_chunk_terms = lru_cache(maxsize=16_384)(_terms_of)


def _run(words_: list[Word]) -> str:
    return words_[0].text + "".join([word.joint + word.text for word in words_[1:]])


def _humps(word: str) -> tuple[str, ...]:
    """`UserRepo` as `user`, `repo`; () for a word with no hump in it, and for encoded data."""
    if word.islower() or word[1:].islower() or word.isupper() or len(word) > 64:
        return ()
    parts = _HUMP.findall(word)
    if not 2 <= len(parts) <= 8 or len("".join(parts)) != len(word):
        return ()
    return tuple(part.casefold() for part in parts)


def _without_accents(text: str) -> str:
    if text.isascii():
        return text
    # Only the marks of alphabets go: without its mark, a kana is another kana, and Hangul would fall apart.
    return unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFKD", text)))
