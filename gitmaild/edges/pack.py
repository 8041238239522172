"""Pack files, written by hand: one self-contained pack and index a batch, durable before anybody learns of it.

Formats: gitformat-pack(5), pack and index version 2. Why not loose objects, libgit2 or `git fast-import`: measured in
docs/decisions/0001. The suite holds every kind of pack that this writes against `git index-pack --strict` and `git fsck`.
"""

import contextlib
import os
import struct
import zlib
from collections.abc import Callable
from concurrent.futures import Future
from hashlib import sha1
from pathlib import Path
from threading import Thread

from gitmaild.edges import disk

COMMIT, TREE, BLOB, _OFS_DELTA = 1, 2, 3, 6
_NAMES = {COMMIT: b"commit", TREE: b"tree", BLOB: b"blob"}

# Deltas of deltas: git reads chains of this length without noticing; longer ones cost every reader.
_MAX_CHAIN = 32
# Objects up to this size are stored, since starting deflate costs more than writing them; a repack deflates them later.
# Measured: 7 KiB a message instead of 5.4, for 30 us less (docs/decisions/0001).
_DEFLATED_FROM = 2048
_DEFLATED_TREE = 16 * 1024
# Below this, the bookkeeping of a delta costs more than it saves.
_DELTA_FROM = 1024


class Place:
    """Where a version of an object stands in the pack being written, so that the next version can lean on it."""

    __slots__ = ("chain", "offset", "pack", "size")

    def __init__(self, pack: object, offset: int, size: int, chain: int) -> None:
        self.pack, self.offset, self.size, self.chain = pack, offset, size, chain


class Pack:
    """Objects gathered in memory, then landed as one pack."""

    def __init__(self) -> None:
        self.key = object()  # what a `Place` holds instead of the pack, which would stay in memory with it
        self._parts: list[bytes] = []
        self._offset = 12
        self._index: list[tuple[bytes, int, int]] = []
        self._known: dict[bytes, Place | None] = {}  # what the pack has, and where what can be leant on stands

    def __len__(self) -> int:
        return len(self._index)

    @property
    def size(self) -> int:
        return self._offset + 20

    def add(self, kind: int, content: bytes) -> bytes:
        """Add an object; its id. An object that the pack already has is not added again."""
        oid = sha1(b"%s %d\0%b" % (_NAMES[kind], len(content), content)).digest()
        if oid not in self._known:
            self._append(oid, _head(kind, len(content)) + _deflated(content))
            self._known[oid] = None
        return oid

    def add_tree(self, raw: list[bytes], before: Place | None, head: int, tail: int) -> tuple[bytes, Place | None]:
        """Add a tree of these entries: (id, its place, None for one that is too small to lean on).

        A delta where `before`, its last version, stands in this pack: `head` entries at the front and `tail` at the end
        are the same in both versions; they may overlap.
        """
        content = b"".join(raw)
        size = len(content)
        oid = sha1(b"tree %d\0%b" % (size, content)).digest()
        if oid in self._known:
            return oid, self._known[oid]
        if size <= _DELTA_FROM:
            self._append(oid, _SMALL_TREE[size] + content + _sum(content))
            self._known[oid] = None
            return oid, None
        chain, offset = 0, self._offset
        if before and before.pack is self.key and before.chain < _MAX_CHAIN:
            prefix = min(sum(map(len, raw[:head])), before.size)
            suffix = min(sum(map(len, raw[len(raw) - tail :])) if tail else 0, size - prefix, before.size - prefix)
            delta, chain = _delta(content, before.size, prefix, suffix), before.chain + 1
            self._append(oid, _head(_OFS_DELTA, len(delta)) + _distance(offset - before.offset) + _deflated(delta))
        else:
            # Half of a tree is ids, which do not deflate; of a large one, the attempt costs more than its bytes.
            stored = size > _DEFLATED_TREE
            self._append(oid, _head(TREE, size) + (zlib.compress(content, 0) if stored else _deflated(content)))
        place = self._known[oid] = Place(self.key, offset, size, chain)
        return oid, place

    def _append(self, oid: bytes, entry: bytes) -> None:
        self._parts.append(entry)
        self._index.append((oid, zlib.crc32(entry), self._offset))
        self._offset += len(entry)

    def land(self, directory: Path) -> Path:
        """Write pack and index into `directory` (`objects/pack`) and bring both to the disk; the path of the `.keep`.

        The `.keep` stands before the index, so that no repack in between drops objects that no ref leads to yet; who moves
        the ref removes it. Raises OSError; what was begun is removed.
        """
        body = b"PACK" + struct.pack(">II", 2, len(self._index)) + b"".join(self._parts)
        checksum = sha1(body).digest()
        stem = directory / f"pack-{checksum.hex()}"
        keep, pack, index = (stem.with_suffix(suffix) for suffix in (".keep", ".pack", ".idx"))
        drafts = [directory / f"tmp_pack_{checksum.hex()[:12]}", directory / f"tmp_idx_{checksum.hex()[:12]}"]
        try:
            other = _at_once(_write_durably, drafts[1], self._index_bytes(checksum))
            try:
                _write_durably(drafts[0], body + checksum)
            finally:
                other.result()
            keep.write_bytes(b"gitmaild: until the ref has moved\n")
            drafts[0].rename(pack)
            drafts[1].rename(index)
            disk.sync_directory(directory)
        except BaseException:
            # The index first: a pack without one is nothing to git, an index without its pack is damage.
            for path in (index, pack, *drafts, keep):
                with contextlib.suppress(OSError):
                    path.unlink()
            raise
        return keep

    def _index_bytes(self, checksum: bytes) -> bytes:
        entries = sorted(self._index)
        counts = [0] * 256
        for oid, _, _ in entries:
            counts[oid[0]] += 1
        total = 0
        for byte, count in enumerate(counts):
            total += count
            counts[byte] = total
        body = b"".join(
            (
                b"\377tOc\0\0\0\2",
                struct.pack(">256I", *counts),
                b"".join(oid for oid, _, _ in entries),
                struct.pack(f">{total}I", *(crc for _, crc, _ in entries)),
                struct.pack(f">{total}I", *(offset for _, _, offset in entries)),
                checksum,
            )
        )
        return body + sha1(body).digest()


def _at_once(write: Callable[[Path, bytes], None], path: Path, data: bytes) -> Future[None]:
    """Write in another thread while this one goes on; in this one, where the machine starts no more threads."""
    done: Future[None] = Future()

    def run() -> None:
        try:
            write(path, data)
            done.set_result(None)
        except BaseException as error:  # noqa: BLE001 - raised again where the result is asked for
            done.set_exception(error)

    try:
        # Not a pool: one that fails to start a thread keeps the work, and does it when nobody expects it any more.
        Thread(target=run, name="fsync").start()
    except RuntimeError:
        run()
    return done


def _write_durably(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o444)
    try:
        disk.write_all(fd, data)
        disk.sync(fd)
    finally:
        os.close(fd)


def _head(kind: int, size: int) -> bytes:
    """An entry's type and size: four bits of size in the first byte, seven in each that follows."""
    byte = (kind << 4) | (size & 15)
    size >>= 4
    if not size:
        return bytes((byte,))
    out = [byte | 0x80]
    while size > 0x7F:
        out.append((size & 0x7F) | 0x80)
        size >>= 7
    out.append(size)
    return bytes(out)


def _distance(distance: int) -> bytes:
    """How far back a delta's base begins, in the offset encoding that has no redundant forms."""
    out = [distance & 0x7F]
    distance >>= 7
    while distance:
        distance -= 1
        out.append(0x80 | (distance & 0x7F))
        distance >>= 7
    return bytes(reversed(out))


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append((number & 0x7F) | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _delta(content: bytes, base_size: int, prefix: int, suffix: int) -> bytes:
    """`content` from its base: copy the common head, insert what is new, copy the common tail."""
    out = bytearray(_varint(base_size) + _varint(len(content)))
    if prefix:
        out += _copy(0, prefix)
    middle = memoryview(content)[prefix : len(content) - suffix]
    for start in range(0, len(middle), 127):
        piece = middle[start : start + 127]
        out.append(len(piece))
        out += piece
    if suffix:
        out += _copy(base_size - suffix, suffix)
    return bytes(out)


def _copy(offset: int, size: int) -> bytes:
    """Copy instructions of at most 0xffffff bytes each; a byte of zero is left out and flagged."""
    out = bytearray()
    while size:
        length = min(size, 0xFFFFFF)
        flags, arguments = 0x80, bytearray()
        for bit in range(4):
            byte = (offset >> (8 * bit)) & 0xFF
            if byte:
                flags |= 1 << bit
                arguments.append(byte)
        for bit in range(3):
            byte = (length >> (8 * bit)) & 0xFF
            if byte:
                flags |= 1 << (4 + bit)
                arguments.append(byte)
        out.append(flags)
        out += arguments
        offset += length
        size -= length
    return bytes(out)


def _deflated(content: bytes) -> bytes:
    return zlib.compress(content, 1) if len(content) > _DEFLATED_FROM else _stored(len(content)) + content + _sum(content)


def _stored(size: int) -> bytes:
    """The head of a zlib stream that holds `size` bytes as they are, at a tenth of the cost of deflate (RFC 1950/1)."""
    return b"\x78\x01\x01" + struct.pack("<HH", size, size ^ 0xFFFF)


def _sum(content: bytes) -> bytes:
    return zlib.adler32(content).to_bytes(4)


# What precedes the bytes of a small tree: most objects of a mailbox are directories of one entry.
_SMALL_TREE = [_head(TREE, size) + _stored(size) for size in range(_DELTA_FROM + 1)]
