"""How documents lie in Whoosh's files: our field types, and the parts of its codec that were worth replacing.

Only this package imports Whoosh, and only what behaves the same in all its forks (docs/decisions/0011).
"""

import os
import sys
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from io import BytesIO
from mmap import ACCESS_READ, MADV_DONTNEED, mmap
from typing import Any
from weakref import WeakSet
from zlib import crc32

from whoosh import columns, fields, formats
from whoosh.codec.whoosh3 import W3Codec, W3LeafMatcher
from whoosh.filedb.compound import SubFile
from whoosh.filedb.filestore import FileStorage
from whoosh.filedb.structfile import StructFile


class File(StructFile):  # type: ignore[misc]
    """A file as a piece of memory. Whoosh would hold a descriptor for each, and seek and read for each number in it."""

    def __init__(self, data: mmap | bytes, name: str) -> None:
        super().__init__(data if isinstance(data, mmap) else BytesIO(data), name=name)
        self._data, self._start, self._end = data, 0, len(data)

    def get(self, position: int, length: int) -> bytes:
        start = self._start + position
        return self._data[start : min(start + length, self._end)]

    def subset(self, offset: int, length: int, name: str | None = None) -> "File":
        """A part of the file, in the same memory: a segment in one file would be copied whole."""
        part = File(b"", name or self._name)
        part.file = SubFile(self.file, offset, length)
        part._data, part._start = self._data, self._start + offset
        part._end = min(part._start + length, self._end)
        return part

    def let_go(self) -> None:
        """Give the pages back that were read; the system keeps them while it has room."""
        if isinstance(self._data, mmap) and not self.is_closed:
            self._data.madvise(MADV_DONTNEED)


class Storage(FileStorage):  # type: ignore[misc]
    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.mapped: WeakSet[File] = WeakSet()

    def let_go(self) -> None:
        for file in list(self.mapped):
            file.let_go()

    def open_file(self, name: str, **_: Any) -> File:
        with open(self._fpath(name), "rb") as file:
            empty = os.fstat(file.fileno()).st_size == 0
            opened = File(b"" if empty else mmap(file.fileno(), 0, access=ACCESS_READ), name)
        self.mapped.add(opened)
        return opened


Posting = tuple[bytes, int, float, bytes]


class Text(fields.FieldType):  # type: ignore[misc]
    """Terms, and how often each occurs. Their order is a column: see `sequence`.

    Whoosh would keep positions in each posting, a pickle in a pickle, and look up a field's length for every posting.
    Without either, a build takes less than half the time (docs/decisions/0011).
    """

    def __init__(self) -> None:
        self.format, self.analyzer, self.scorable, self.stored = formats.Existence(), None, False, False

    def index(self, value: tuple[str, ...], **_: Any) -> Iterator[Posting]:
        for term, count in Counter(value).items():
            yield term.encode(), count, float(count), b""


def sequence(terms: Iterable[str]) -> bytes:
    """Terms in their order, four bytes of a sum for each: a phrase is a part of it."""
    return array("I", [crc32(term.encode()) for term in terms]).tobytes()


class Keys(fields.FieldType):  # type: ignore[misc]
    """Terms without any order."""

    def __init__(self) -> None:
        self.format, self.analyzer, self.scorable, self.stored = formats.Existence(), None, False, False

    def index(self, value: tuple[str, ...], **_: Any) -> Iterator[Posting]:
        for term in Counter(value):
            yield term.encode(), 1, 1.0, b""


class Numbers(columns.NumericColumn):  # type: ignore[misc]
    """64-bit numbers, one a document, that are read all at once."""

    def __init__(self) -> None:
        super().__init__("q")

    class Reader(columns.NumericColumn.Reader):  # type: ignore[misc]
        def whole(self) -> "array[int]":
            found = array("q")
            found.frombytes(self._dbfile.get(self._basepos, self._count * self._fixedlen))
            if sys.byteorder == "little":
                found.byteswap()
            found.extend([0] * (self._doccount - len(found)))  # zeros at the end are not written
            return found


class Matcher(W3LeafMatcher):  # type: ignore[misc]
    """Postings of a term, with ways to take many at once: a call of Python for each would be most of a search."""

    def between(self, start: int, end: int) -> set[int]:
        """The documents from `start` on and before `end`."""
        found: set[int] = set()
        if self.is_active() and self.id() < start:
            self.skip_to(start)
        while self.is_active():
            first = self.id()
            if first >= end:
                break
            rest = self._ids[self._i :] if self._i else self._ids
            if self._maxid < end:
                found.update(rest)
                self._next_block()
            else:
                found.update(number for number in rest if number < end)
                break
        return found

    def among(self, wanted: list[int]) -> set[int]:
        """Those of the wanted documents, in order, that have the term."""
        found: set[int] = set()
        for numbers in self._blocks(wanted):
            found.update(set(numbers).intersection(self._ids))
        return found

    def weights(self, wanted: list[int]) -> Iterator[tuple[int, float]]:
        """(document, how often the term is in it) for those of the wanted documents that have it."""
        for numbers in self._blocks(wanted):
            if self._weights is None:
                self._read_weights()
            for number in numbers:
                at = bisect_left(self._ids, number)
                if self._ids[at] == number:
                    yield number, self._weights[at]

    def _blocks(self, wanted: list[int]) -> Iterator[list[int]]:
        """The wanted documents, block by block of those that may have them; the others are never unpacked."""
        at = 0
        while at < len(wanted):
            first = wanted[at]
            if self._maxid < first:
                self._skip_to_block(lambda first=first: self._maxid < first)
            if not self.is_active():
                return
            end = bisect_right(wanted, self._maxid, at)
            if self._ids is None:
                self._read_ids()
            yield wanted[at:end]
            at = end


class Codec(W3Codec):  # type: ignore[misc]
    length_stats = False

    def __init__(self) -> None:
        super().__init__(compression=1)

    def postings_reader(self, dbfile: Any, terminfo: Any, format_: Any, term: Any = None, scorer: Any = None) -> Any:
        if terminfo.is_inlined():
            return super().postings_reader(dbfile, terminfo, format_, term=term, scorer=scorer)
        return Matcher(dbfile, *terminfo.extent(), format_, term=term, scorer=scorer)


def schema() -> Any:
    return fields.Schema(
        subject=Text(),
        body=Text(),
        keys=Keys(),
        created=fields.COLUMN(Numbers()),
        mark=fields.COLUMN(Numbers()),  # of the key; see `segment.mark`
        words=fields.COLUMN(Numbers()),  # how many terms the body has
        subject_order=fields.COLUMN(columns.VarBytesColumn()),
        body_order=fields.COLUMN(columns.VarBytesColumn()),
        names=fields.STORED(),  # (key, blob id)
    )
