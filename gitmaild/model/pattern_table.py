"""Many patterns at once: which of them mean a path, which of them overlap with another.

A trie over the names that the patterns begin with before their first wildcard. What cannot begin as a path does is never
looked at, so that a thousand leases cost a commit little more than the few that lie on its way.
"""

from gitmaild.model.glob import DEEP, without_case

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from gitmaild.model.glob import Item
    from gitmaild.model.pattern import Pattern

    Entry = tuple[Pattern, Any]


FEW = 8


class _Node:
    __slots__ = ("entries", "index", "kids")

    def __init__(self) -> None:
        self.entries: list[Entry] = []  # whose first wildcard comes next, or that end here
        self.kids: dict[str, _Node] = {}
        self.index: dict[str, list[Entry]] | None = None  # the entries by what a path must end in; made when there are many

    def indexed(self, *, fold: bool) -> "dict[str, list[Entry]]":
        if self.index is None:
            self.index = {}
            for entry in self.entries:
                for key in {_key(items) for items in (entry[0].folded() if fold else entry[0].alternatives)}:
                    self.index.setdefault(key, []).append(entry)
        return self.index

    def below(self) -> "Iterator[Entry]":
        yield from self.entries
        for kid in self.kids.values():
            yield from kid.below()


class PatternTable:
    """Patterns, each with a value; the same pattern may be there several times."""

    def __init__(self) -> None:
        self._top = _Node()
        self._folded: _Node | None = None  # the same, for paths without regard to case; made when first asked for
        self._entries: dict[int, Entry] = {}  # by their own identity, in the order of adding

    def add(self, pattern: "Pattern", value: "Any") -> None:
        entry = pattern, value
        self._entries[id(entry)] = entry
        _put(self._top, pattern.alternatives, entry)
        if self._folded is not None:
            _put(self._folded, pattern.folded(), entry)

    def remove(self, pattern: "Pattern", value: "Any") -> None:
        """Take out one entry of this pattern and a value that equals `value`. Raises KeyError where there is none."""
        key = next((k for k, entry in self._entries.items() if entry[0] == pattern and entry[1] == value), None)
        if key is None:
            raise KeyError(pattern)
        entry = self._entries.pop(key)
        _drop(self._top, pattern.alternatives, entry)
        if self._folded is not None:
            _drop(self._folded, pattern.folded(), entry)

    def matching(self, path: str, *, fold: bool = False) -> "list[Any]":
        """The values of the patterns that mean the file at `path`, each entry's once."""
        names = (without_case(path) if fold else path).split("/")
        node = self._tree(fold=fold)
        found: list[Entry] = []
        keys: list[str] = []
        for name in ["", *names]:
            if name:
                after = node.kids.get(name)
                if after is None:
                    break
                node = after
            near = node.entries
            if len(near) > FEW:
                keys = keys or _keys(names)
                index = node.indexed(fold=fold)
                near = [entry for key in keys if key in index for entry in index[key]]
            for entry in near:
                if entry[0].matches(path, fold=fold):
                    found.append(entry)
        return [value for _, value in _once(found)] if len(found) > 1 else [value for _, value in found]

    def overlapping(self, pattern: "Pattern", *, fold: bool = False) -> "list[Any]":
        """The values of the patterns that have a path in common with this one."""
        from gitmaild.model.overlap import overlaps  # noqa: PLC0415 - a hook only matches

        top = self._tree(fold=fold)
        near: list[Entry] = []
        for items in pattern.folded() if fold else pattern.alternatives:
            near += _near(top, items)
        return [value for other, value in _once(near) if overlaps(pattern, other, fold=fold)]

    def _tree(self, *, fold: bool) -> _Node:
        if not fold:
            return self._top
        if self._folded is None:
            self._folded = _Node()
            for entry in self._entries.values():
                _put(self._folded, entry[0].folded(), entry)
        return self._folded


def _put(top: _Node, alternatives: "list[tuple[Item, ...]]", entry: "Entry") -> None:
    """Below the names that each alternative begins with; where two begin alike, once."""
    for names in {_names(items): None for items in alternatives}:
        node = top
        for name in names:
            node = node.kids.setdefault(name, _Node())
        node.entries.append(entry)
        node.index = None


def _drop(top: _Node, alternatives: "list[tuple[Item, ...]]", entry: "Entry") -> None:
    """The reverse, with the nodes that nothing is left in."""
    for names in {_names(items): None for items in alternatives}:
        way = [top]
        for name in names:
            way.append(way[-1].kids[name])
        way[-1].index = None
        way[-1].entries = [other for other in way[-1].entries if other is not entry]
        for name, node, above in zip(reversed(names), way[:0:-1], way[-2::-1], strict=True):
            if not node.entries and not node.kids:
                del above.kids[name]


def _key(items: "tuple[Item, ...]") -> str:
    """What every path of an alternative has at its end, '' where it may end in anything: `=` and the last name, `/` and the
    one before it, `^` or `$` and what the last name begins or ends with."""
    last = items[-1]
    if isinstance(last, str):
        return f"={last}"
    if last == DEEP or not isinstance(last, tuple):
        return ""
    if len(items) > 2 and isinstance(items[-2], str) and len(_names(items)) < len(items) - 1:
        return f"/{items[-2]}"
    ends = []
    for tokens in (last, last[::-1]):
        size = next((at for at, token in enumerate(tokens) if not isinstance(token, str)), len(tokens))
        ends.append(size)
    if ends[0]:
        return "^" + "".join(map(str, last[: ends[0]]))
    return "$" + "".join(map(str, last[-ends[1] :])) if ends[1] else ""


def _keys(names: "list[str]") -> "list[str]":
    """Every key under which a pattern may stand that means the path of these names."""
    last = names[-1]
    sizes = range(1, len(last) + 1)
    return [
        "",
        f"={last}",
        *(f"/{name}" for name in names[-2:-1]),
        *(f"^{last[:n]}" for n in sizes),
        *(f"${last[-n:]}" for n in sizes),
    ]


def _names(items: "tuple[Item, ...]") -> "tuple[str, ...]":
    found: list[str] = []
    for item in items:
        if not isinstance(item, str):
            break
        found.append(item)
    return tuple(found)


def _near(top: _Node, items: "tuple[Item, ...]") -> "Iterator[Entry]":
    """Every entry that begins as this alternative does, as far as both begin with names."""
    node = top
    for item in items:
        if not isinstance(item, str):
            yield from node.below()
            return
        yield from node.entries
        after = node.kids.get(item)
        if after is None:
            return
        node = after
    yield from node.entries


def _once(entries: "list[Entry]") -> "list[Entry]":
    return list({id(entry): entry for entry in entries}.values())
