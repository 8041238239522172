"""How rules read a mailbox tree: a few look-ups by path, whatever stands behind them."""

from typing import Protocol


class Tree(Protocol):
    """Read access to one state of the mailbox. Paths are relative to the top; `/` separates."""

    def names(self, path: str) -> list[str]:
        """The entries of a directory in git's order, directories with a trailing slash; [] where there is none."""

    def entries(self, path: str) -> list[tuple[str, str]]:
        """The same entries, each with the id of its blob or tree."""

    def oid(self, path: str) -> str:
        """The id of the blob or tree at `path`, or ''."""

    def read(self, path: str) -> bytes | None:
        """The bytes of the blob at `path`, or None."""

    def size(self, path: str) -> int:
        """The number of entries of the directory at `path`."""
