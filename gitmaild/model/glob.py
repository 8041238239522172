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
    from collections.abc import Iterator
    from typing import TypeAlias

    Token: TypeAlias = "str | Class | int"
    Item: TypeAlias = "str | tuple[Token, ...] | int"

STAR = 0
DEEP = 1

LONGEST = 256
MOST_SEGMENTS = 32
MOST_ALTERNATIVES = 64
LITERAL = ":(literal)"
SPECIAL = "*?[]{}\\"


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
        forms = (char, char.lower(), char.upper()) if self.folded else (char,)
        return any(low <= form <= high for low, high in self.ranges for form in forms) != self.negated

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Class) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> "tuple[tuple[tuple[str, str], ...], bool, bool]":
        return self.ranges, self.negated, self.folded


ANY = Class((), negated=True)


def alternatives(text: str) -> "list[tuple[Item, ...]]":
    """The alternatives of a pattern with wildcards. Raises `BadPattern`."""
    if "//" in text:
        raise BadPattern("bad-pattern", f"{text!r} has an empty segment", "write single slashes")
    found = [_items(alternative, text) for alternative in dict.fromkeys(_expanded(text))]
    if not found:
        raise _unbalanced("{", text)
    return found


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
    names = alternative.split("/")
    check_names(names, text)
    items: list[Item] = []
    for name in names:
        item: Item = DEEP if name == "**" else _segment(name, text)
        if not (item == DEEP and items and items[-1] == DEEP):
            items.append(item)
    if items[-1] == DEEP:
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
    negated = name[at : at + 1] in ("!", "^") and name[at : at + 1] != ""
    at += negated
    first, ranges = at, []
    while at < len(name) and (name[at] != "]" or at == first):
        if name[at : at + 2] == "[:":
            raise BadPattern("bad-pattern", f"{text!r}: named classes are not known", "write the characters: [a-z]")
        low, at = _member(name, at)
        high = low
        if name[at : at + 1] == "-" and name[at + 1 : at + 2] not in ("", "]"):
            high, at = _member(name, at + 1)
        if high < low:
            raise BadPattern("bad-pattern", f"{text!r}: the range {low}-{high} is empty", f"write {high}-{low}")
        ranges.append((low, high))
    if at >= len(name):
        raise _unbalanced("[", text)
    return Class(tuple(ranges), negated=negated), at + 1


def _member(name: str, at: int) -> "tuple[str, int]":
    return (name[at + 1], at + 2) if name[at] == "\\" and at + 1 < len(name) else (name[at], at + 1)


def _unbalanced(mark: str, text: str) -> BadPattern:
    mend = f"close it, or write \\{mark}, or {LITERAL}{text} for a file of that name"
    return BadPattern("bad-pattern", f"{text!r}: {mark} stands alone", mend)


# --- braces


def _expanded(text: str) -> "list[str]":
    """The strings that braces stand for, escapes and classes left in them."""
    found, end = _sequence(text, 0, nested=False)
    if end < len(text):
        raise _unbalanced("}", text)
    return found


def _sequence(text: str, at: int, *, nested: bool) -> "tuple[list[str], int]":
    """The strings up to the end, or, where `nested`, up to the comma or brace that ends this alternative."""
    found = [""]
    while at < len(text) and text[at] != "}" and not (nested and text[at] == ","):
        if text[at] == "{":
            choices, at = _choices(text, at + 1)
            found = [before + choice for before in found for choice in choices]
        else:
            end = _end_of_piece(text, at)
            found = [before + text[at:end] for before in found]
            at = end
        if len(found) > MOST_ALTERNATIVES:
            raise _too_many(text)
    return found, at


def _choices(text: str, at: int) -> "tuple[list[str], int]":
    found: list[str] = []
    while True:
        some, at = _sequence(text, at, nested=True)
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
        return at + 2
    if text[at] != "[":
        return at + 1
    end = at + 1 + (text[at + 1 : at + 2] in ("!", "^"))
    end = text.find("]", end + 1)
    if end < 0 or "/" in text[at:end]:
        raise _unbalanced("[", text)
    return end + 1


def _too_many(text: str) -> BadPattern:
    reason = f"{text!r}: its braces stand for over {MOST_ALTERNATIVES} patterns"
    return BadPattern("long-pattern", reason, "use a wildcard, or several patterns")


# --- matching


def fits(items: "tuple[Item, ...]", names: "list[str]") -> bool:
    """True where an alternative means the path with these segments.

    Each item takes one segment but DEEP, which takes any: so it is enough to remember the last DEEP (the usual proof for
    `*` in one name). At most len(items) * len(names) segments are compared.
    """
    item = name = 0
    deep = mark = -1
    while name < len(names):
        if item < len(items) and items[item] == DEEP:
            deep, mark, item = item, name, item + 1
        elif item < len(items) and fits_name(items[item], names[name]):
            item, name = item + 1, name + 1
        elif deep >= 0:
            mark += 1
            item, name = deep + 1, mark
        else:
            return False
    while item < len(items) and items[item] == DEEP:
        item += 1
    return item == len(items)


def fits_name(item: "Item", name: str) -> bool:
    """True where one item, which is not DEEP, means this segment. At most len(item) * len(name) steps."""
    if isinstance(item, str):
        return item == name
    assert isinstance(item, tuple)
    token = at = 0
    star = mark = -1
    while at < len(name):
        if token < len(item) and item[token] == STAR:
            star, mark, token = token, at, token + 1
        elif token < len(item) and _fits_char(item[token], name[at]):
            token, at = token + 1, at + 1
        elif star >= 0:
            mark += 1
            token, at = star + 1, mark
        else:
            return False
    return all(left == STAR for left in item[token:])


def _fits_char(token: "Token", char: str) -> bool:
    return token == char if isinstance(token, str) else isinstance(token, Class) and token.has(char)


def folded(items: "tuple[Item, ...]") -> "tuple[Item, ...]":
    """The same alternative for paths that are compared without regard to case: they are casefolded as well."""

    def tokens(item: "tuple[Token, ...]") -> "Iterator[Token]":
        for token in item:
            if isinstance(token, str):
                yield from token.casefold()
            elif isinstance(token, Class):
                yield Class(token.ranges, negated=token.negated, folded=True)
            else:
                yield token

    return tuple(
        item.casefold() if isinstance(item, str) else tuple(tokens(item)) if isinstance(item, tuple) else item
        for item in items
    )
