"""Many patterns at once: which of them mean a path, which of them overlap with another.

A trie over the names that the patterns begin with before their first wildcard. What cannot begin as a path does is never
looked at, so that a thousand leases cost a commit little more than the few that lie on its way.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from gitmaild.model.glob import Item
    from gitmaild.model.pattern import Pattern

    Entry = tuple[Pattern, Any]


class _Node:
    __slots__ = ("entries", "kids")

    def __init__(self) -> None:
        self.entries: list[Entry] = []  # whose first wildcard comes next, or that end here
        self.kids: dict[str, _Node] = {}

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
        for node in _places(self._top, pattern.alternatives):
            node.entries.append(entry)
        self._folded = None

    def remove(self, pattern: "Pattern", value: "Any") -> None:
        """Take out one entry of this pattern and a value that equals `value`. Raises KeyError where there is none."""
        key = next((k for k, entry in self._entries.items() if entry[0] == pattern and entry[1] == value), None)
        if key is None:
            raise KeyError(pattern)
        entry = self._entries.pop(key)
        for node in _places(self._top, pattern.alternatives):
            node.entries.remove(entry)
        self._folded = None

    def matching(self, path: str, *, fold: bool = False) -> "list[Any]":
        """The values of the patterns that mean the file at `path`, each entry's once."""
        names = (path.casefold() if fold else path).split("/")
        node = self._tree(fold=fold)
        found: list[Entry] = []
        for name in ["", *names]:
            if name:
                after = node.kids.get(name)
                if after is None:
                    break
                node = after
            for entry in node.entries:
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
                for node in _places(self._folded, entry[0].folded()):
                    node.entries.append(entry)
        return self._folded


def _places(top: _Node, alternatives: "list[tuple[Item, ...]]") -> "list[_Node]":
    """Where the entries of these alternatives stand: below the names that they begin with. Each place once."""
    found: dict[int, _Node] = {}
    for items in alternatives:
        node = top
        for item in items:
            if not isinstance(item, str):
                break
            node = node.kids.setdefault(item, _Node())
        found[id(node)] = node
    return list(found.values())


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
