"""Whether two patterns have a path in common, decided exactly, and such a path.

Two alternatives are two automata over segments, and two segments with wildcards two automata over characters; a path that
both accept is a path through their product. For segments the product's reachable states are kept as bits of integers, a row
for each token, so the worst pair of legal patterns takes milliseconds. The witness is read back from those rows.
"""

from collections import deque
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice

from gitmaild.model.glob import ANY, DEEP, STAR, Class, fits_name, without_case
from gitmaild.model.pattern import Pattern

Token = str | Class | int
Item = str | tuple[Token, ...] | int

_READABLE = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_-+@=~,;.!#$%&'()^` "
# Where the characters that a name may hold begin and end: no controls, no slash, no halves of surrogate pairs.
_EDGES = "\x20\x2e\x30\x7e\xa0\u2027\u202a\ud7ff\ue000\U0010ffff"
_EVERY: tuple[Token, ...] = (STAR,)


def overlaps(one: Pattern, other: Pattern, *, fold: bool = False) -> bool:
    """True where some path matches both."""
    mine, theirs = (one.folded(), other.folded()) if fold else (one.alternatives, other.alternatives)
    for a in mine:
        for b in theirs:  # in loops: a table asks this a thousand times
            if _may_meet(a, b) and _crosses(a, b):
                return True
    return False


def overlap(one: Pattern, other: Pattern, *, fold: bool = False) -> str | None:
    """A path that both match, with as few segments as any; None where there is none."""
    found = (pair for pair in _pairs(one, other, fold=fold) if _crosses(*pair))
    walks = [walk for a, b in found if (walk := _walk(a, b)) is not None]
    if not walks:
        return None
    return "/".join(str(_common(a, b)) for a, b in min(walks, key=len))


def _pairs(one: Pattern, other: Pattern, *, fold: bool) -> Iterator[tuple[tuple[Item, ...], tuple[Item, ...]]]:
    mine, theirs = (p.folded() if fold else p.alternatives for p in (one, other))
    return ((a, b) for a in mine for b in theirs if _may_meet(a, b))


def _may_meet(one: tuple[Item, ...], other: tuple[Item, ...]) -> bool:
    """False for most pairs that have nothing in common: two names differ before or after anything that is of any depth."""
    return (one[-1] == DEEP or other[-1] == DEEP or _agree(one[::-1], other[::-1])) and _agree(one, other)


def _agree(one: tuple[Item, ...], other: tuple[Item, ...]) -> bool:
    for a, b in zip(one, other, strict=False):
        if isinstance(a, str):
            if a != b and (isinstance(b, str) or (isinstance(b, tuple) and not fits_name(b, a))):
                return False
        elif isinstance(b, str) and isinstance(a, tuple) and not fits_name(a, b):
            return False
        if DEEP in (a, b):
            return True
    return True


def _crosses(one: tuple[Item, ...], other: tuple[Item, ...]) -> bool:
    """Whether `_walk` finds a way: the reachable positions in `other`, as bits, after each item of `one`."""
    if len(one) > len(other):
        one, other = other, one
    size = len(other)
    deeps = sum(1 << at for at, item in enumerate(other) if item == DEEP)
    row = 1 | (deeps & 1) << 1
    for a in one:
        if a == DEEP:
            row = (1 << size + 1) - (row & -row)
        else:
            after = row & deeps
            left = row & ~deeps & ~(1 << size)
            while left:
                bit = left & -left
                left -= bit
                if _meet(a, other[bit.bit_length() - 1]):
                    after |= bit << 1
            row = after | (after & deeps) << 1
        if not row:
            return False
    return bool(row >> size & 1) and all(map(_has_name, one)) and all(map(_has_name, other))


def _has_name(item: Item) -> bool:
    """False for what fits nothing but one or two dots."""
    if not isinstance(item, tuple) or len(item) > 2 or item[0] == STAR or item[-1] == STAR:
        return True
    return _common(item, _EVERY) is not None


def _walk(one: tuple[Item, ...], other: tuple[Item, ...]) -> list[tuple[Item, Item]] | None:
    """The pairs of items that the segments of a shortest common path are taken by; None where there is no such path."""
    start, end = (0, 0), (len(one), len(other))
    came: dict[tuple[int, int], tuple[tuple[int, int], tuple[Item, Item] | None]] = {start: (start, None)}
    queue = deque([start])
    while queue:
        state = queue.popleft()
        if state == end:
            return _steps(came, state)
        for after, taken in _moves(one, other, state):
            if after not in came:
                came[after] = state, taken
                # What takes no segment goes first, so that the shortest path is found first.
                (queue.append if taken else queue.appendleft)(after)
    return None


def _moves(
    one: tuple[Item, ...], other: tuple[Item, ...], state: tuple[int, int]
) -> Iterator[tuple[tuple[int, int], tuple[Item, Item] | None]]:
    i, j = state
    a: Item | None = one[i] if i < len(one) else None
    b: Item | None = other[j] if j < len(other) else None
    if a == DEEP:
        yield (i + 1, j), None
    if b == DEEP:
        yield (i, j + 1), None
    if a is not None and b is not None:
        taken = (_EVERY if a == DEEP else a, _EVERY if b == DEEP else b)
        if (a, b) != (DEEP, DEEP) and _meet(*taken):
            yield (i + (a != DEEP), j + (b != DEEP)), taken


def _steps(
    came: dict[tuple[int, int], tuple[tuple[int, int], tuple[Item, Item] | None]], state: tuple[int, int]
) -> list[tuple[Item, Item]]:
    found: list[tuple[Item, Item]] = []
    while state != (0, 0):
        state, taken = came[state]
        found += [taken] if taken else []
    return found[::-1]


# --- one segment


def _meet(one: Item, other: Item) -> bool:
    """True where some name fits both."""
    if isinstance(one, str):
        return one == other if isinstance(other, str) else fits_name(other, one)
    if isinstance(other, str):
        return fits_name(one, other)
    return _may_share(one, other) and _share(one, other)


def _may_share(one: Item, other: Item) -> bool:
    """False for most segments that have no name in common: two characters differ before or after any wildcard."""
    assert isinstance(one, tuple)
    assert isinstance(other, tuple)
    for a, b in zip(one, other, strict=False):
        if not (isinstance(a, str) and isinstance(b, str)):
            break
        if a != b:
            return False
    for a, b in zip(reversed(one), reversed(other), strict=False):
        if not (isinstance(a, str) and isinstance(b, str)):
            break
        if a != b:
            return False
    return True


@lru_cache(4096)  # `*.py` is in many patterns
def _share(one: Item, other: Item) -> bool:
    if any(fits_name(item, dots) for item in (one, other) for dots in (".", "..")):
        return _common(one, other) is not None  # what fits may be `.` or `..` alone, which are no names
    rows, tokens = _rows(one, other)
    return bool(rows[-1] >> len(tokens) & 1)


def _common(one: Item, other: Item) -> str | None:
    """A name that fits both, or None."""
    if isinstance(one, str) or isinstance(other, str):
        name = str(one if isinstance(one, str) else other)
        return name if _meet(one, other) else None
    assert isinstance(one, tuple)
    assert isinstance(other, tuple)
    rows, _ = _rows(one, other)
    if not rows[-1] >> len(other) & 1:
        return None
    name = _read_back(one, other, rows)
    if name in ("", ".", ".."):
        return _shortest(one, other)
    # People read it: `a.py` rather than `.py`.
    return f"a{name}" if name[0] == "." and fits_name(one, f"a{name}") and fits_name(other, f"a{name}") else name


def _rows(one: Item, other: Item) -> tuple[list[int], tuple[Token, ...]]:
    """For each position in `one`, the positions in `other` that can be reached with it, as bits; and `other`'s tokens.

    A star stays where it is for each character that the other side takes, and may be left at any time.
    """
    assert isinstance(one, tuple)
    assert isinstance(other, tuple)
    size = len(other)
    stars = sum(1 << at for at, token in enumerate(other) if token == STAR)
    known: dict[Token, int] = {}
    row, rows = _spread(1, stars, one[0] if one else "", size), []
    for position, token in enumerate(one):
        rows.append(row)
        if token == STAR:
            after = row
        else:
            if token not in known:
                known[token] = sum(1 << at for at, t in enumerate(other) if t != STAR and (t == token or _shared(token, t)))
            after = (row & known[token]) << 1 | row & stars
        row = _spread(after, stars, one[position + 1] if position + 1 < len(one) else "", size)
    return [*rows, row], other


def _spread(row: int, stars: int, token: Token, size: int) -> int:
    """The row with what is reached in it without a further token of `one`, whose next one is `token`."""
    if not row:
        return 0
    if token == STAR:
        lowest = row & -row
        return (1 << size + 1) - lowest
    return row | (row & stars) << 1


def _shared(one: Token, other: Token) -> str:
    """A character that both take, '' where there is none. Both take one."""
    if isinstance(one, str) and isinstance(other, str):
        return one if one == other else ""
    if isinstance(one, str) or isinstance(other, str):
        char, kind = (one, other) if isinstance(one, str) else (other, one)
        assert isinstance(char, str)
        assert isinstance(kind, Class)
        return char if kind.has(char) else ""
    assert isinstance(one, Class)
    assert isinstance(other, Class)
    return next((char for char in _candidates(one, other) if one.has(char) and other.has(char)), "")


def _candidates(one: Class, other: Class) -> Iterator[str]:
    """Characters of which one is in both classes, if any is: sets of ranges meet at an edge of some range, or beside it."""
    yield from _READABLE
    edges = [edge for kind in (one, other) for ends in kind.ranges for edge in ends]
    fold = one.folded or other.folded
    # Where case alternates, the next character of the same case is the one after the next.
    reach = 2 if fold else 1
    for edge in (*edges, *_EDGES):
        for number in range(ord(edge) - reach, ord(edge) + reach + 1):
            char = chr(min(max(number, 0x20), 0x10FFFF))
            if fold:
                char = without_case(char)
            if _is_legal(char):
                yield char


def _is_legal(char: str) -> bool:
    return char != "/" and not ("\x7f" <= char <= "\x9f" or char in "\u2028\u2029" or "\ud800" <= char <= "\udfff")


def _read_back(one: tuple[Token, ...], other: tuple[Token, ...], rows: list[int]) -> str:
    """A name along reachable states, from the end back; as few characters as the rows show."""

    def reached(x: int, y: int) -> bool:
        return x >= 0 and y >= 0 and bool(rows[x] >> y & 1)

    x, y, found = len(one), len(other), list[str]()
    while (x, y) != (0, 0):
        if reached(x - 1, y) and one[x - 1] == STAR:
            x -= 1
        elif reached(x, y - 1) and other[y - 1] == STAR:
            y -= 1
        elif (
            reached(x - 1, y - 1) and STAR not in (one[x - 1], other[y - 1]) and (char := _shared(one[x - 1], other[y - 1]))
        ):
            found.append(char)
            x, y = x - 1, y - 1
        elif reached(x - 1, y) and y < len(other) and other[y] == STAR:
            found.append(_any_of(one[x - 1]))
            x -= 1
        else:
            found.append(_any_of(other[y - 1]))
            y -= 1
    return "".join(reversed(found))


def _any_of(token: Token) -> str:
    """A character that one token takes."""
    return token if isinstance(token, str) else _shared(token, ANY)


def _shortest(one: tuple[Token, ...], other: tuple[Token, ...]) -> str | None:
    """A shortest name that fits both and is not made of one or two dots alone, state by state. For short segments."""
    queue: deque[tuple[int, int, str]] = deque([(0, 0, "")])
    seen: set[tuple[int, int, str]] = set()
    while queue:
        x, y, name = queue.popleft()
        # Names that are longer than two, or hold another character, are all alike.
        key = x, y, name if name in ("", ".", "..") else "x"
        if key in seen:
            continue
        seen.add(key)
        if x == len(one) and y == len(other) and key[2] == "x":
            return name
        a, b = (one[x] if x < len(one) else None), (other[y] if y < len(other) else None)
        queue.extendleft((x + dx, y + dy, name) for dx, dy, token in ((1, 0, a), (0, 1, b)) if token == STAR)
        for char in _next_chars(a, b):
            queue.append((x + (a != STAR), y + (b != STAR), name + char))
    return None


def _next_chars(a: Token | None, b: Token | None) -> Iterator[str]:
    """Characters that take both sides on: a dot, and one that is none."""
    if a is None or b is None or a == STAR == b:
        yield from () if a is None or b is None else ("a",)
        return
    one, other = (ANY if token == STAR else token for token in (a, b))
    if _takes(one, ".") and _takes(other, "."):
        yield "."
    if isinstance(one, Class) and isinstance(other, Class):
        both = (char for char in _candidates(one, other) if one.has(char) and other.has(char) and char != ".")
        yield from islice(both, 1)
    elif (char := _shared(one, other)) != ".":
        yield from char


def _takes(token: Token, char: str) -> bool:
    return token == char if isinstance(token, str) else isinstance(token, Class) and token.has(char)
