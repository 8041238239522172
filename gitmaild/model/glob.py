"""The text of a lease pattern, read: from a string to sequences of segments.

A pattern is a set of alternatives (its braces expanded). An alternative is a tuple of items, one a path segment:

    str      a name as it stands
    tuple    tokens: a character, a `Class`, or STAR (any characters, also none)
    DEEP     any number of segments, also none

Paths begin at the top of the worktree and hold no empty, `.` or `..` segment. The git hook imports this module, so nothing
here is worth an import; nothing here builds a regular expression either, so no pattern can make a match slow.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any, TypeAlias

    Token: TypeAlias = "str | Class | int"
    Item: TypeAlias = "str | tuple[Token, ...] | int"

STAR = 0
DEEP = 1

LONGEST = 256
MOST_SEGMENTS = 32
MOST_ALTERNATIVES = 64
MOST_NESTED = 16
MOST_CHARACTERS = 1024
LITERAL = ":(literal)"
SPECIAL = "*?[]{}\\"
# What a backslash may stand before. Before anything else it is a path of Windows, or of a regular expression.
ESCAPED = SPECIAL + "!#^-,: "


class BadPattern(ValueError):
    """A pattern that cannot be held: what is wrong, and how to mend it."""

    def __init__(self, code: str, reason: str, mend: str) -> None:
        super().__init__(reason)
        self.code, self.reason, self.mend = code, reason, mend


class Class:
    """A set of characters, `[a-z]` or `[!a-z]`; `?` is the negation of none. Never `/`, which is in no name."""

    __slots__ = ("folded", "negated", "ranges")

    def __init__(self, ranges: "tuple[tuple[str, str], ...]", *, negated: bool, folded: bool = False) -> None:
        self.ranges, self.negated, self.folded = ranges, negated, folded

    def has(self, char: str) -> bool:
        forms = [form for form in (char, char.lower(), char.upper()) if len(form) == 1] if self.folded else (char,)
        return any(low <= form <= high for low, high in self.ranges for form in forms) != self.negated

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Class) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> "tuple[tuple[tuple[str, str], ...], bool, bool]":
        return self.ranges, self.negated, self.folded


ANY = Class((), negated=True)


def alternatives(text: str) -> "list[tuple[Item, ...]]":
    """The alternatives of a pattern, each read as though it were written alone. Raises `BadPattern`."""
    found = list(dict.fromkeys(_expanded(text)))
    # What the canonical text has more than the written one does not count, so that it can be read again.
    if sum(len(each.removeprefix("**/").removesuffix("**")) for each in found) > MOST_CHARACTERS:
        reason = f"{text!r}: its braces stand for over {MOST_CHARACTERS} characters"
        raise BadPattern("long-pattern", reason, "use a wildcard, or several patterns")
    return [_items(alternative, text) for alternative in found]


def check_names(names: "list[str]", text: str) -> None:
    """Refuse segments that no path of a worktree has."""
    if len(names) > MOST_SEGMENTS:
        raise BadPattern(
            "long-pattern", f"{text!r} has {len(names)} segments; limit {MOST_SEGMENTS}", "write ** for some of them"
        )
    for name in names:
        if name == "":
            raise BadPattern("bad-pattern", f"{text!r} has an empty segment", "write single slashes")
        if name in (".", ".."):
            raise BadPattern(
                "bad-pattern", f"{text!r} has a segment {name!r}", "write the path from the top of the worktree"
            )


def _items(alternative: str, text: str) -> "tuple[Item, ...]":
    names = (f"{alternative}**" if alternative[-1:] == "/" else alternative).split("/")
    check_names(names, text)
    items: list[Item] = []
    for name in names:
        item: Item = DEEP if name == "**" else _segment(name, text)
        if not (item == DEEP and items and items[-1] == DEEP):
            items.append(item)
    if all(isinstance(item, str) for item in items):
        items.append(DEEP)  # a path as it stands: that file, or everything below
    elif items[-1] != DEEP and len(items) == 1:
        items.insert(0, DEEP)
    elif items[-1] == DEEP:
        # What ends in `/**` is everything below, not the directory itself.
        items[-1:] = [(STAR,), DEEP]
    return tuple(items)


def _segment(name: str, text: str) -> "Item":
    if not any(char in SPECIAL for char in name):
        return name
    tokens: list[Token] = []
    at = 0
    while at < len(name):
        char = name[at]
        at += 1
        if char == "*":
            if not tokens or tokens[-1] != STAR:
                tokens.append(STAR)
        elif char == "?":
            tokens.append(ANY)
        elif char == "[":
            found, at = _class(name, at, text)
            tokens.append(found)
        elif char == "\\":
            tokens.append(name[at])
            at += 1
        else:
            tokens.append(char)
    plain = "".join(token for token in tokens if isinstance(token, str))
    if len(plain) == len(tokens):
        check_names([plain], text)
        return plain
    return tuple(tokens)


def _class(name: str, at: int, text: str) -> "tuple[Class, int]":
    """The class whose `[` stands before `at`, and where it ends."""
    negated = name[at : at + 1] in ("!", "^")
    at += negated
    first, ranges = at, []
    while at < len(name) and (name[at] != "]" or at == first):
        if name[at : at + 2] == "[:":
            raise BadPattern("bad-pattern", f"{text!r}: named classes are not known", "write the characters: [a-z]")
        low, at = _member(name, at, text)
        high = low
        if name[at : at + 1] == "-" and name[at + 1 : at + 2] not in ("", "]"):
            high, at = _member(name, at + 1, text)
        if high < low:
            raise BadPattern("bad-pattern", f"{text!r}: the range {low}-{high} is empty", f"write {high}-{low}")
        ranges.append((low, high))
    if at >= len(name):
        raise _unbalanced("[", text)
    return Class(tuple(ranges), negated=negated), at + 1


def _member(name: str, at: int, text: str) -> "tuple[str, int]":
    """The character of a class at `at`, and where the next one is."""
    if name[at] != "\\":
        return name[at], at + 1
    if at + 1 >= len(name):
        raise _unbalanced("[", text)
    _check_escape(name, at, text)
    return name[at + 1], at + 2


def _check_escape(name: str, at: int, text: str) -> None:
    if name[at + 1] not in ESCAPED:
        raise BadPattern("bad-pattern", f"{text!r}: \\{name[at + 1]} says nothing", "write / between directories")


def _unbalanced(mark: str, text: str) -> BadPattern:
    mend = f"close it, or write \\{mark}, or {LITERAL}{text} for a file of that name"
    return BadPattern("bad-pattern", f"{text!r}: {mark} stands alone", mend)


# --- braces


def _expanded(text: str) -> "list[str]":
    """The strings that braces stand for, escapes and classes left in them."""
    found, end = _sequence(text, 0, depth=0)
    if end < len(text):
        raise _unbalanced("}", text)
    return found


def _sequence(text: str, at: int, *, depth: int) -> "tuple[list[str], int]":
    """The strings up to the end, or, within braces, up to the comma or brace that ends this alternative."""
    if depth > MOST_NESTED:
        raise BadPattern("long-pattern", f"{text!r}: braces nested over {MOST_NESTED} deep", "write them side by side")
    found = [""]
    while at < len(text) and text[at] != "}" and not (depth and text[at] == ","):
        if text[at] == "{":
            choices, at = _choices(text, at + 1, depth=depth + 1)
            found = [before + choice for before in found for choice in choices]
        else:
            end = _end_of_piece(text, at)
            found = [before + text[at:end] for before in found]
            at = end
        if len(found) > MOST_ALTERNATIVES:
            raise _too_many(text)
    return found, at


def _choices(text: str, at: int, *, depth: int) -> "tuple[list[str], int]":
    found: list[str] = []
    while True:
        some, at = _sequence(text, at, depth=depth)
        found += some
        if len(found) > MOST_ALTERNATIVES:
            raise _too_many(text)
        if at >= len(text):
            raise _unbalanced("{", text)
        at += 1
        if text[at - 1] == "}":
            return found, at


def _end_of_piece(text: str, at: int) -> int:
    """Where the character, the escape or the class that begins at `at` ends."""
    if text[at] == "\\":
        if at + 1 >= len(text):
            raise BadPattern("bad-pattern", f"{text!r} ends in a lone backslash", "write / between directories")
        _check_escape(text, at, text)
        return at + 2
    if text[at] != "[":
        return at + 1
    first = end = at + 2 if text[at + 1 : at + 2] in ("!", "^") else at + 1
    while end < len(text) and text[end] != "/" and (text[end] != "]" or end == first):
        end += 2 if text[end] == "\\" else 1
    if end >= len(text) or text[end] == "/":
        raise _unbalanced("[", text)
    return end + 1


def _too_many(text: str) -> BadPattern:
    reason = f"{text!r}: its braces stand for over {MOST_ALTERNATIVES} patterns"
    return BadPattern("long-pattern", reason, "use a wildcard, or several patterns")


# --- matching


def fits(items: "tuple[Item, ...]", names: "list[str]") -> bool:
    """True where an alternative means the path with these segments."""
    return _fit(items, names, DEEP, fits_name)


def fits_name(item: "Item", name: str) -> bool:
    """True where one item, which is not DEEP, means this segment."""
    if isinstance(item, str):
        return item == name
    assert isinstance(item, tuple)
    return _fit(item, name, STAR, _fits_char)


def _fit(wanted: "tuple[Any, ...]", found: "Sequence[str]", many: int, fits_one: "Callable[[Any, str], bool]") -> bool:
    """True where what is wanted takes what is found, in order and to the end: each takes one, but `many` takes any number.

    It is enough to remember the last `many` (the usual proof for `*` in one name): at most len(wanted) * len(found) steps.
    """
    want = at = 0
    last = mark = -1
    while at < len(found):
        if want < len(wanted) and wanted[want] == many:
            last, mark, want = want, at, want + 1
        elif want < len(wanted) and fits_one(wanted[want], found[at]):
            want, at = want + 1, at + 1
        elif last >= 0:
            mark += 1
            want, at = last + 1, mark
        else:
            return False
    return all(left == many for left in wanted[want:])


def _fits_char(token: "Token", char: str) -> bool:
    return token == char if isinstance(token, str) else isinstance(token, Class) and token.has(char)


def composed(text: str) -> str:
    """The text in the one form that Unicode has for it (NFC), in which patterns are written and paths are compared."""
    if text.isascii():
        return text
    from unicodedata import normalize  # noqa: PLC0415 - most paths are ASCII, and a hook must start fast

    return normalize("NFC", text)


def without_case(text: str) -> str:
    """The text with each character casefolded, but for the few that would become two: a `?` stands for one."""
    found = text.casefold()
    if len(found) == len(text):
        return found
    return "".join(next(form for form in (char.casefold(), char.lower(), char) if len(form) == 1) for char in text)


def folded(items: "tuple[Item, ...]") -> "tuple[Item, ...]":
    """The same alternative for paths `without_case`."""

    def tokens(item: "tuple[Token, ...]") -> "Iterator[Token]":
        for token in item:
            if isinstance(token, str):
                yield without_case(token)
            elif isinstance(token, Class):
                # Some characters are the upper case of none, as the two small sigmas: the ends of ranges stand for these.
                ends = tuple((end, end) for pair in token.ranges for end in map(without_case, pair) if end not in pair)
                yield Class(token.ranges + ends, negated=token.negated, folded=True)
            else:
                yield token

    return tuple(
        without_case(item) if isinstance(item, str) else tuple(tokens(item)) if isinstance(item, tuple) else item
        for item in items
    )
