"""Merging segments, beside the daemon.

Pure Python merges a few hundred documents a second; in the daemon, everybody would wait. So the new segment is made in a
directory of its own, by a process of the lowest priority, and the daemon only swaps it in.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from whoosh.index import TOC, FileIndex
from whoosh.reading import SegmentReader
from whoosh.writing import SegmentWriter

from gitmaild.edges.whoosh_index.codec import Codec, Storage, schema

NAME = "MAIN"
_DRAFT = "merge.tmp"


def make(directory: Path, names: list[str]) -> None:
    """Write one segment that holds what these hold, in their order, into the draft directory."""
    draft = drop(directory)
    draft.mkdir(mode=0o700)
    storage = Storage(str(directory))
    segments = {s.segment_id(): s for s in TOC.read(storage, NAME, schema=schema()).segments}
    # Not compound: that would be written twice.
    writer = SegmentWriter(FileIndex.create(Storage(str(draft)), schema(), NAME), codec=Codec(), compound=False)
    for name in names:
        reader = SegmentReader(storage, schema(), segments[name], codec=Codec())
        writer.add_reader(reader)
        reader.close()
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
