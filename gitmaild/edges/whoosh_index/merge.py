"""Merging segments, beside the daemon.

Pure Python merges a few hundred documents a second; in the daemon, everybody would wait. So the new segment is made in a
directory of its own, by a process of the lowest priority, and the daemon only swaps it in.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from heapq import merge
from pathlib import Path
from typing import Any

from whoosh.index import TOC, FileIndex
from whoosh.reading import SegmentReader
from whoosh.writing import SegmentWriter

from gitmaild.edges.whoosh_index.codec import Codec, Storage, schema

NAME = "MAIN"
_DRAFT = "merge.tmp"
# What was read of the files is given back after so many terms.
_TERMS = 1_000


class _Postings:
    """In the place of Whoosh's pool, which would collect and sort the postings: those of a segment are in order."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._sources: list[tuple[Any, int, dict[int, int] | None]] = []

    def add_reader(self, reader: Any, base: int, numbers: dict[int, int] | None) -> None:
        """Its documents are counted from `base`, or have other `numbers` where some of them are deleted."""
        self._sources.append((reader, base, numbers))

    def iter_postings(self) -> Iterator[tuple[str, bytes, int, float, bytes]]:
        terms = merge(*(_terms(reader, at) for at, (reader, _, _) in enumerate(self._sources)))
        for count, (field, text, at) in enumerate(terms):
            if count % _TERMS == 0:
                self._storage.let_go()
            reader, base, numbers = self._sources[at]
            found = reader.postings(field, text)
            while found.is_active():
                number = found.id()
                yield field, text, numbers[number] if numbers is not None else base + number, found.weight(), found.value()
                found.next()

    def cleanup(self) -> None:
        for reader, _, _ in self._sources:
            reader.close()
        self._sources.clear()


def _terms(reader: Any, at: int) -> Iterator[tuple[str, bytes, int]]:
    return ((field, text, at) for field, text in reader.all_terms())


def make(directory: Path, names: list[str]) -> None:
    """Write one segment that holds what these hold, in their order, into the draft directory."""
    draft = drop(directory)
    draft.mkdir(mode=0o700)
    storage = Storage(str(directory))
    segments = {s.segment_id(): s for s in TOC.read(storage, NAME, schema=schema()).segments}
    # Not compound: that would be written twice.
    writer = SegmentWriter(FileIndex.create(Storage(str(draft)), schema(), NAME), codec=Codec(), compound=False)
    writer.pool = postings = _Postings(storage)
    for name in names:
        reader, base = SegmentReader(storage, schema(), segments[name], codec=Codec()), writer.docnum
        postings.add_reader(reader, base, writer.write_per_doc(set(schema().names()), reader))
        storage.let_go()
    writer._added = True  # as Whoosh's own `add_reader` does
    writer.commit(merge=False)


def take(directory: Path) -> Any:
    """Move a finished segment from the draft directory beside the others; its description, for the table of contents."""
    draft = directory / _DRAFT
    (segment,) = TOC.read(Storage(str(draft)), NAME, schema=schema()).segments
    for path in draft.glob(f"{segment.segment_id()}.*"):
        path.rename(directory / path.name)
    drop(directory)
    return segment


def drop(directory: Path) -> Path:
    """Remove the draft directory, whatever is in it; where it would be."""
    draft = directory / _DRAFT
    shutil.rmtree(draft, ignore_errors=True)
    return draft


def begin(directory: Path, names: list[str]) -> subprocess.Popen[bytes]:
    """A process that does `make`, after everybody else's work."""
    command = [sys.executable, "-c", f"from {__name__} import main; main()", str(directory), *names]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet)


def main() -> None:
    with contextlib.suppress(OSError):
        os.nice(19)
    make(Path(sys.argv[1]), sys.argv[2:])
