"""The search index on Whoosh, as it measured best (docs/decisions/0011).

Each commit of the index is a segment; nothing is merged while somebody waits. The table of contents is moved into place at
one instant; which commit of the mailbox it reaches to was announced before, and is in the manifest after (`files`). So a
kill at any moment leaves either of two whole states.
"""

import contextlib
import errno
import gc
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from heapq import heapify, heappop, heappush, nlargest
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from whoosh import versionstring
from whoosh.index import TOC, FileIndex, LockError
from whoosh.writing import SegmentWriter

from gitmaild.edges import index_directory
from gitmaild.edges.whoosh_index import files, merge
from gitmaild.edges.whoosh_index.codec import Codec, Storage, schema, sequence
from gitmaild.edges.whoosh_index.files import Manifest
from gitmaild.edges.whoosh_index.segment import Search, Segment, check_prefix, mark, weight_of
from gitmaild.model.errors import MailError, Refused
from gitmaild.model.search import Document, Hit, IndexDamaged, IndexUnavailable, Prefix, Query, leaves

VERSION = f"1 whoosh {versionstring()}"

# A segment of fewer documents is one file; one of more is several.
_ONE_FILE = 1_000
# More segments than this are merged: each costs a search about 20 microseconds a term. No merge writes more documents.
_SEGMENTS, _AT_ONCE, _MERGED = 64, 32, 20_000
# The best are chosen among this many of the newest.
_JUDGED = 10_000
_BULK = 200
# So many segments are opened before the pages that were read for it are given back.
_OPENED = 16
_PATIENCE, _PAUSE = 4, 0.005
_DISK = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
)


class WhooshIndex:
    """Satisfies `app.ports.SearchIndex`. With `apart`, segments are merged by another process."""

    engine = "whoosh"
    batch = 250  # each commit is a segment, and nobody is served for a sixth of a second

    def __init__(self, directory: Path, *, segments: int = _SEGMENTS, apart: bool = True) -> None:
        self._directory, self._most, self._apart = directory, segments, apart
        self._storage: Any = None
        self._schema = schema()  # one for all segments
        self._writing = False
        self._manifest = Manifest("", -1, "")
        self._stamp = (0, 0)
        self._segments: list[Segment] = []
        self._merging: tuple[list[str], dict[str, frozenset[int]], subprocess.Popen[bytes] | None] | None = None

    def open(self, *, writing: bool) -> None:
        self.close()
        index_directory.prepare(self._directory, make=writing)
        with _guarded():
            self._storage, self._writing = Storage(str(self._directory)), writing
            try:
                if writing:
                    merge.drop(self._directory)
                    if not any(files.is_part(name) or name == "MANIFEST" for name in os.listdir(self._directory)):
                        FileIndex.create(self._storage, schema(), merge.NAME)
                        files.write(self._directory, None, VERSION, 0, "")
                self._load()
            except BaseException:
                self.close()
                raise

    def checkpoint(self) -> str:
        """The commit that the index reaches to."""
        self._refresh()
        return self._manifest.checkpoint

    def add(self, documents: Sequence[Document], checkpoint: str, *, gone: Sequence[str] = ()) -> None:
        """Add documents, replacing those of the same key, take out those of the keys in `gone`; all or nothing."""
        rows = sorted({document.key: document for document in documents}.values(), key=lambda d: (d.created, d.key))
        with _guarded(), _without_collecting(len(rows) >= _BULK):
            dead = self._dead([*gone, *(row.key for row in rows)])
            if not rows and not dead:
                self._manifest = files.write(self._directory, self._manifest, VERSION, self._manifest.generation, checkpoint)
                return
            with self._writer(compound=len(rows) < _ONE_FILE) as writer:
                for number in dead:
                    writer.delete_document(number)
                for row in rows:
                    writer.add_document(
                        subject=row.subject,
                        body=row.body,
                        keys=row.keys,
                        created=row.created,
                        mark=mark(row.key),
                        words=len(row.body),
                        subject_order=sequence(row.subject),
                        body_order=sequence(row.body),
                        names=(row.key, row.oid),
                    )
                self._commit(writer, checkpoint, merge=False)

    def newest(self, query: Query) -> Iterator[Hit]:
        """Every document that matches, newest first, found as they are asked for.

        Raises `Refused` for a prefix that stands for too many words.
        """
        with _guarded():
            segments = self._ready(query)
            for _, same in groupby(_walk(segments, query), key=lambda found: found[0]):
                hits = [segment.hit(number) for _, segment, number in same]
                yield from sorted(hits, reverse=True, key=lambda hit: hit.key)

    def best(self, query: Query, limit: int) -> list[Hit]:
        """The documents that match best, of those the newer first that match alike."""
        with _guarded():
            segments = self._ready(query)
            found: dict[int, set[int]] = {}
            at = {id(segment): index for index, segment in enumerate(segments)}
            for _, segment, number in islice(_walk(segments, query), _JUDGED):
                found.setdefault(at[id(segment)], set()).add(number)
            scored = _scored(segments, found, query)
            chosen = nlargest(limit, scored, key=lambda row: (row[0], segments[row[1]].created[row[2]]))
            hits = [segments[index].hit(number, score) for score, index, number in chosen]
            # It has gone through much of the index, which would count as this process's memory.
            self._storage.let_go()
            return hits

    def size(self) -> int:
        """How many documents there are."""
        self._refresh()
        return sum(segment.count - len(segment.deleted) for segment in self._segments)

    def bytes_used(self) -> int:
        return index_directory.size(self._directory)

    def tend(self) -> bool:
        """Merge segments where there are many; True where more of that can be done at once."""
        with _guarded():
            if self._merging is None:
                names = self._to_merge()
                if not names:
                    return False
                self._begin_merge(names)
            return self._end_merge()

    def clear(self) -> None:
        """Throw everything away, damaged or not, and begin anew."""
        self.close()
        shutil.rmtree(self._directory, ignore_errors=True)
        self.open(writing=True)

    def close(self) -> None:
        if self._merging is not None and self._merging[2] is not None:
            self._merging[2].kill()
            self._merging[2].wait()
        self._merging = self._storage = None
        self._segments = []
        self._writing = False

    # --- what is there

    def _ready(self, query: Query) -> list[Segment]:
        """The segments to search. Whatever happens to the index, a walk goes on in these."""
        self._refresh()
        segments = list(self._segments)
        for leaf, _ in leaves(query):
            if isinstance(leaf, Prefix):
                check_prefix(segments, leaf)
        return segments

    def _refresh(self) -> None:
        """See what another process has committed."""
        with _guarded():
            if self._storage is None:
                raise IndexDamaged("the search index is not open")
            if not self._writing and files.stamp(self._directory) != self._stamp:
                self._load()

    def _load(self) -> None:
        """Read the table of contents and open its segments. Raises `IndexDamaged` where they are not what was written."""
        for attempt in range(_PATIENCE):
            try:
                self._read()
                return
            except (IndexDamaged, OSError):
                # A writer may have gone on between two of our looks.
                if self._writing or attempt == _PATIENCE - 1:
                    raise
                time.sleep(_PAUSE)

    def _read(self) -> None:
        stamp = files.stamp(self._directory)
        manifest = files.read(self._directory, VERSION)
        newest = max(map(files.generation, os.listdir(self._directory)), default=-1)
        if newest != manifest.generation:
            manifest = self._finished(manifest, newest)
        files.check(self._directory, manifest, {f"_{merge.NAME}_{newest}.toc"})
        found = TOC.read(self._storage, merge.NAME, gen=newest, schema=schema()).segments
        names = {segment.segment_id() for segment in found}
        parts = {name for name in manifest.files if name.partition(".")[0] in names}
        if len({part.partition(".")[0] for part in parts}) != len(names):
            raise IndexDamaged("the search index lacks a segment")
        files.check(self._directory, manifest, parts)
        known = {(segment.name, segment.deleted): segment for segment in self._segments}
        self._segments = self._opened(found, known)
        self._manifest, self._stamp = manifest, stamp

    def _opened(self, found: list[Any], known: dict[tuple[str, frozenset[int]], Segment]) -> list[Segment]:
        segments, new = [], 0
        for one in found:
            segment = known.get((one.segment_id(), frozenset(one.deleted_docs())))
            if segment is None:
                segment, new = Segment(self._storage, self._schema, one), new + 1
                # What is read to open them would count as this process's memory, a fifth of a megabyte for each.
                if new % _OPENED == 0:
                    self._storage.let_go()
            segments.append(segment)
        self._storage.let_go()
        return segments

    def _finished(self, manifest: Manifest, newest: int) -> Manifest:
        """The manifest of a commit that nobody lived to describe."""
        checkpoint = files.announced(self._directory, VERSION, newest)
        if newest != manifest.generation + 1 or checkpoint is None:
            raise IndexDamaged(f"the search index is at {newest}, its manifest at {manifest.generation}")
        return (files.write if self._writing else files.describe)(self._directory, manifest, VERSION, newest, checkpoint)

    def _dead(self, keys: list[str]) -> list[int]:
        """The numbers, over all segments, of documents that these keys have now."""
        marks = {mark(key) for key in keys}
        dead, base = [], 0
        for segment in self._segments:
            dead += [base + number for number in segment.numbers(marks)]
            base += segment.count
        return dead

    # --- committing

    @contextlib.contextmanager
    def _writer(self, *, compound: bool) -> Iterator[Any]:
        index = FileIndex(self._storage, schema=schema(), indexname=merge.NAME)
        writer = SegmentWriter(index, codec=Codec(), compound=compound)
        try:
            yield writer
        except BaseException:
            with contextlib.suppress(Exception):
                writer.cancel()
            raise

    def _commit(self, writer: Any, checkpoint: str, **how: Any) -> None:
        files.announce(self._directory, VERSION, writer.generation, checkpoint)
        writer.commit(**how)
        files.write(self._directory, self._manifest, VERSION, writer.generation, checkpoint)
        self._load()

    # --- merging

    def _to_merge(self) -> list[str]:
        """The smallest segments, where there are too many of them, in the order of time."""
        if not self._writing or len(self._segments) <= self._most:
            return []
        chosen: list[Segment] = []
        total = 0
        for segment in sorted(self._segments, key=lambda s: s.count)[: min(_AT_ONCE, len(self._segments))]:
            total += segment.count
            if total > _MERGED:
                break
            chosen.append(segment)
        return [s.name for s in sorted(chosen, key=lambda s: (s.first, s.last))] if len(chosen) > 1 else []

    def _begin_merge(self, names: list[str]) -> None:
        deleted = {segment.name: segment.deleted for segment in self._segments if segment.name in names}
        process = None
        if self._apart:
            process = merge.begin(self._directory, names)
        else:
            merge.make(self._directory, names)
        self._merging = names, deleted, process

    def _end_merge(self) -> bool:
        """Put the merged segment in the place of those that it was made from."""
        assert self._merging is not None
        names, deleted, process = self._merging
        if process is not None and process.poll() is None:
            return False
        self._merging = None
        now = {segment.name: segment.deleted for segment in self._segments if segment.name in names}
        if (process is not None and process.returncode) or now != deleted:
            merge.drop(self._directory)  # what it was made from has changed; the next merge sees that
            return False
        made = merge.take(self._directory)
        with self._writer(compound=False) as writer:
            self._commit(
                writer,
                self._manifest.checkpoint,
                mergetype=lambda _, segments: [*(s for s in segments if s.segment_id() not in deleted), made],
            )
        return bool(self._to_merge())


def _walk(segments: list[Segment], query: Query) -> Iterator[tuple[int, Segment, int]]:
    """(created, segment, number) of every match, newest first. A segment is not searched before its time has come."""
    walks: dict[int, Iterator[tuple[int, int]]] = {}
    # An unopened segment stands where its newest document would, before the hits of the same moment.
    heap = [(-segment.last, 0, index, -1) for index, segment in enumerate(segments)]
    heapify(heap)
    while heap:
        created, _, index, number = heappop(heap)
        if number < 0:
            walks[index] = segments[index].walk(query)
        else:
            yield -created, segments[index], number
        if (found := next(walks[index], None)) is not None:
            heappush(heap, (-found[0], 1, index, found[1]))


def _scored(segments: list[Segment], found: dict[int, set[int]], query: Query) -> Iterator[tuple[float, int, int]]:
    """(score, segment, number) of the found documents."""
    searches = {index: Search(segment, query) for index, segment in enumerate(segments)}
    asked = [leaf for leaf, negated in leaves(query) if not negated]
    terms = {term for search in searches.values() for leaf in asked for term in search.weighed_terms(leaf)}
    count = sum(segment.count for segment in segments)
    mean = sum(sum(segment.words) for segment in segments) / max(count, 1) or 1.0
    idf = {(field, term): weight_of(field, sum(s.frequency(field, term) for s in segments), count) for field, term in terms}
    for index, numbers in found.items():
        for number, score in searches[index].scores(numbers, idf, mean).items():
            yield score, index, number


@contextlib.contextmanager
def _without_collecting(bulk: bool) -> Iterator[None]:
    """The cycle collector goes through every posting again and again, and finds nothing: a fifth of a bulk build."""
    bulk = bulk and gc.isenabled()
    if bulk:
        gc.disable()
    try:
        yield
    finally:
        if bulk:
            gc.enable()


@contextlib.contextmanager
def _guarded() -> Iterator[None]:
    """One kind of exception for whatever Whoosh makes of a file that cannot be used: it may be any at all."""
    try:
        yield
    except (MailError, Refused):
        raise
    except LockError as error:
        raise IndexUnavailable("another process writes the search index") from error
    except OSError as error:
        kind = IndexUnavailable if error.errno in _DISK else IndexDamaged
        raise kind(f"the search index cannot be used: {error}") from error
    except Exception as error:
        raise IndexDamaged(f"the search index cannot be used: {type(error).__name__}: {error}") from error
