"""Path patterns of leases: one grammar for what is held, for what overlaps, and for what a commit touches.

A pattern is anchored at the top of the worktree; `/` separates.

| written | means |
|---|---|
| `src/api`, `README.md` | that file, or everything below that directory |
| `src/api/`, `src/api/**` | everything below, not the path itself |
| `src/*.py` | files of that directory: `*` and `?` stop at `/`, and so does `[a-z]`, `[!a-z]` |
| `src/**/test_*.py` | files at any depth below, also directly in it |
| `*.py` | a wildcard without a slash: at any depth, as `**/*.py` |
| `{src,lib}/*.py` | each of them, as though it were written alone; braces nest, and stand for 64 patterns at most |
| `:(literal)app/[slug]/page.tsx` | that path as it stands, whatever it is made of |

Patterns with wildcards name files, never what is below them. `\\` takes the next character as it is. There is no negation.
A pattern whose segments hold nothing but wildcards means (nearly) everything, and must be asked for as such (`broad`).
"""

from gitmaild.model.glob import (
    DEEP,
    LITERAL,
    LONGEST,
    SPECIAL,
    BadPattern,
    Class,
    alternatives,
    check_names,
    composed,
    fits,
    folded,
    without_case,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitmaild.model.glob import Item

__all__ = ["BadPattern", "Pattern"]


class Pattern:
    """A pattern that may be held. `text` is canonical: it reads back as an equal pattern, and patterns are equal by it."""

    __slots__ = ("_folded", "_tails", "alternatives", "is_plain", "raw", "text")

    def __init__(self, raw: str, text: str, found: "list[tuple[Item, ...]]", *, is_plain: bool) -> None:
        self.raw, self.text, self.alternatives, self.is_plain = raw, text, found, is_plain
        self._folded: list[tuple[Item, ...]] | None = None
        self._tails: tuple[str, ...] | None = None

    @classmethod
    def parse(cls, text: str, *, literal: bool = False, broad: bool = False) -> "Pattern":
        """Read a pattern. With `literal` it is a path as it stands. Raises `BadPattern`."""
        clean = _clean(text)
        if clean.startswith(LITERAL):
            return _plain(text, clean[len(LITERAL) :])
        if literal:
            return _plain(text, clean)
        clean = _anchored(clean)
        if not any(char in SPECIAL for char in clean):
            return _plain(text, clean) if clean[-1] != "/" else _wild(text, f"{clean}**", broad=broad)
        return _wild(text, clean, broad=broad)

    def as_file(self) -> "Pattern":
        """A plain pattern for a path that is known to be a file: nothing can be below it, so nothing below it is shared."""
        exact = [items[:-1] if items[-1] == DEEP else items for items in self.alternatives]
        return Pattern(self.raw, self.text, exact, is_plain=True) if self.is_plain else self

    def matches(self, path: str, *, fold: bool = False) -> bool:
        """True where the pattern means the file at `path`. With `fold`, without regard to case."""
        if fold:
            names = without_case(path).split("/")
            return any(fits(items, names) for items in self.folded())
        if self._tails is None:
            self._tails = tuple(map(_tail, self.alternatives))
        names = []
        for items, tail in zip(self.alternatives, self._tails, strict=True):
            # Most paths that a pattern does not mean are told by their last characters.
            if path.endswith(tail):
                names = names or path.split("/")
                if fits(items, names):
                    return True
        return False

    def folded(self) -> "list[tuple[Item, ...]]":
        """The alternatives for comparing without regard to case."""
        if self._folded is None:
            self._folded = [folded(items) for items in self.alternatives]
        return self._folded

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pattern) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"


def _clean(text: str) -> str:
    """The text in the one form that Unicode has for it, without what no path of a worktree holds."""
    if not text:
        raise BadPattern("bad-pattern", "an empty pattern", "write a path or a pattern: src/api/**")
    if len(text) > LONGEST + len(LITERAL):
        raise _too_long(text)
    text = composed(text)
    if not text.isprintable() and any(_is_control(char) for char in text):
        raise BadPattern("bad-pattern", f"{text!r} holds a control character", "remove it, or put a ? in its place")
    return text


def _too_long(text: str) -> BadPattern:
    return BadPattern("long-pattern", f"{text[:40]!r}...: {len(text)} characters; limit {LONGEST}", "use a wider pattern")


def _is_control(char: str) -> bool:
    """True also for U+10FFFF, which is no character: so there is one in the negation of every class."""
    return char < " " or "\x7f" <= char <= "\x9f" or "\ud800" <= char <= "\udfff" or char in "\u2028\u2029\U0010ffff"


def _anchored(text: str) -> str:
    """The text as a path from the top of the worktree. Raises `BadPattern` for one that begins elsewhere."""
    while text.startswith("./"):
        text = text[2:]
    if text[:1] in ("", "!", "/", " ", ":") or text[-1] == " " or text in (".", ".."):
        raise _bad_start(text)
    if text[1:2] == ":" and text[0].isalpha() and text[2:3] in ("", "\\", "/"):
        raise BadPattern("bad-pattern", f"{text!r} begins with a drive", "write the path from the top of the worktree")
    return text


def _bad_start(text: str) -> BadPattern:
    if text.startswith("!"):
        mend = f"reserve what you need; for a file of that name write {LITERAL}{text}"
        return BadPattern("negated-pattern", f"{text!r}: a lease is held on paths, not on all but some", mend)
    if text.startswith("/"):
        relative = text.lstrip("/") or "src"
        return BadPattern("bad-pattern", f"{text!r} is absolute", f"write it from the top of the worktree: {relative}")
    if text.startswith(":"):
        return BadPattern("bad-pattern", f"{text!r}: only {LITERAL} is known", f"write {LITERAL} and the path")
    if text in ("", ".", ".."):
        return BadPattern(
            "too-broad", f"{text or '.'!r} is the whole worktree", "name a directory, or reserve ** with --broad"
        )
    return BadPattern("bad-pattern", f"{text!r} begins or ends with a space", f"remove it, or write {LITERAL} and the path")


def _plain(raw: str, path: str) -> Pattern:
    path = path.removesuffix("/")
    names = path.split("/")
    if len(path) > LONGEST:
        raise _too_long(path)
    check_names(names, path)
    is_bare = not any(char in SPECIAL for char in path) and path[0] not in "!: " and path[-1] != " " and path[1:2] != ":"
    return Pattern(raw, path if is_bare else LITERAL + path, [(*names, DEEP)], is_plain=True)


def _wild(raw: str, text: str, *, broad: bool) -> Pattern:
    found = alternatives(text)
    if len(found) == 1 and found[0][-1] == DEEP and all(isinstance(item, str) for item in found[0][:-1]):
        return _plain(
            raw, _clean("/".join(map(str, found[0][:-1])))
        )  # it held nothing but escapes, or braces around one thing
    if text.endswith("/"):
        text += "**"
    elif "/" not in text and all(items[0] == DEEP for items in found):
        text = f"**/{text}"
    if len(text) > LONGEST:
        raise _too_long(text)
    if not broad and any(map(_says_nothing, found)):
        mend = "name a directory, or say --broad (broad: true) where you mean all of it"
        raise BadPattern("too-broad", f"{raw!r} means the whole worktree, or nearly", mend)
    return Pattern(raw, text, found, is_plain=False)


def _says_nothing(items: "tuple[Item, ...]") -> bool:
    """True for an alternative in which no segment holds a character or a class that says which."""
    return not any(
        isinstance(item, str) or (isinstance(item, tuple) and any(_says(token) for token in item)) for item in items
    )


def _says(token: "str | Class | int") -> bool:
    return isinstance(token, str) or (isinstance(token, Class) and bool(token.ranges))


def _tail(items: "tuple[Item, ...]") -> str:
    """The characters that every path of an alternative ends in."""
    last = items[-1]
    if isinstance(last, str):
        return last
    tail: list[str] = []
    for token in reversed(last) if isinstance(last, tuple) else ():
        if not isinstance(token, str):
            break
        tail.append(token)
    return "".join(reversed(tail))
