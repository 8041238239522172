"""Which files an index has, and whether they are still what was written.

Whoosh does not check its files: a torn one gives any exception, or a wrong answer, or, since they are pickles, anything at
all. So `MANIFEST` holds the size and the sum of each. A file whose time has not changed since, in this boot of the machine,
is believed without reading it.
"""

import json
import os
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gitmaild.edges import disk
from gitmaild.model.search import IndexDamaged

_MANIFEST, _NEXT = "MANIFEST", "MANIFEST.next"
_CHUNK = 1 << 20

Seen = tuple[int, int, int]  # size, sum, mtime in nanoseconds


@dataclass(frozen=True)
class Manifest:
    """One commit of an index: its number, the mailbox's commit that it reaches to, its files."""

    version: str
    generation: int
    checkpoint: str
    files: dict[str, Seen] = field(default_factory=dict)


def read(directory: Path, version: str) -> Manifest:
    """The last manifest. Raises `IndexDamaged` for none, or one of another version."""
    found = _load(directory / _MANIFEST)
    if found is None or found.version != version:
        said = f"of version {found.version}" if found else "missing or damaged"
        raise IndexDamaged(f"the search index is {said}; this gitmaild writes {version}")
    return found


def stamp(directory: Path) -> tuple[int, int]:
    """Changes with every commit of the index; cheap to ask."""
    try:
        about = os.stat(directory / _MANIFEST)
    except OSError as error:
        raise IndexDamaged(f"the search index has no manifest: {error}") from error
    return about.st_ino, about.st_mtime_ns


def announce(directory: Path, version: str, generation: int, checkpoint: str) -> None:
    """Say what the commit that is about to be made means, should nobody live to say so afterwards."""
    _store(directory / _NEXT, Manifest(version, generation, checkpoint))


def announced(directory: Path, version: str, generation: int) -> str | None:
    """The checkpoint of a commit whose manifest was never written, None where it was not announced in this boot."""
    found = _load(directory / _NEXT)
    return found.checkpoint if found and (found.version, found.generation) == (version, generation) else None


def write(directory: Path, before: Manifest | None, version: str, generation: int, checkpoint: str) -> Manifest:
    """Write the manifest of the files as they are now."""
    made = describe(directory, before, version, generation, checkpoint)
    _store(directory / _MANIFEST, made)
    return made


def describe(directory: Path, before: Manifest | None, version: str, generation: int, checkpoint: str) -> Manifest:
    """The manifest of the files as they are now. Those that an earlier one knew are not read again: none ever changes."""
    known = before.files if before else {}
    files: dict[str, Seen] = {}
    for entry in os.scandir(directory):
        if is_part(entry.name):
            about = entry.stat(follow_symlinks=False)
            seen = known.get(entry.name)
            if seen is None or (seen[0], seen[2]) != (about.st_size, about.st_mtime_ns):
                seen = about.st_size, _sum(directory / entry.name), about.st_mtime_ns
            files[entry.name] = seen
    return Manifest(version, generation, checkpoint, files)


def check(directory: Path, manifest: Manifest, names: set[str]) -> None:
    """Raises `IndexDamaged` where one of these files is not what the manifest says."""
    for name in names:
        size, total, mtime = manifest.files.get(name, (-1, 0, 0))
        try:
            about = os.stat(directory / name, follow_symlinks=False)
            same = about.st_size == size
            if same and about.st_mtime_ns != mtime:
                same = _sum(directory / name) == total
        except OSError as error:
            raise IndexDamaged(f"{name} of the search index cannot be read: {error}") from error
        if not same:
            raise IndexDamaged(f"{name} of the search index is not what was written")


def is_part(name: str) -> bool:
    """True for a file of Whoosh's that lasts: a table of contents, or a segment's."""
    return (name.startswith("MAIN_") and "." in name) or (name.startswith("_MAIN_") and name.endswith(".toc"))


def generation(name: str) -> int:
    """The number of a table of contents, -1 for any other file."""
    digits = name.removeprefix("_MAIN_").removesuffix(".toc")
    return int(digits) if name.startswith("_MAIN_") and name.endswith(".toc") and digits.isdecimal() else -1


def _sum(path: Path) -> int:
    total = 0
    with open(path, "rb") as file:
        while data := file.read(_CHUNK):
            total = zlib.crc32(data, total)
    return total


def _store(path: Path, manifest: Manifest) -> None:
    value = {"boot": disk.boot_id(), **manifest.__dict__}
    disk.replace(path, json.dumps(value).encode())


def _load(path: Path) -> Manifest | None:
    try:
        value: dict[str, Any] = json.loads(path.read_bytes())
        same_boot = value["boot"] == disk.boot_id()
        # After a power cut a file may be shorter than its time says: then every sum is compared.
        files = {str(n): (int(s), int(c), int(t) if same_boot else -1) for n, (s, c, t) in value["files"].items()}
        return Manifest(str(value["version"]), int(value["generation"]), str(value["checkpoint"]), files)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
