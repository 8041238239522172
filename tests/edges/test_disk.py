"""Directory descriptors against directories that somebody else arranges."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitmaild.edges import disk
from gitmaild.edges.disk import Root, RootGone, Untrusted
from gitmaild.model.errors import Verdict
from tests.edges.oddities import AS_ROOT, as_a_mortal, everything, give_away, make


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "root" / "agents" / "RedCat" / "inbox").mkdir(parents=True)
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "x.md").write_text("secret")
    return tmp_path / "root"


@pytest.fixture
def root(place: Path) -> Iterator[Root]:
    opened = Root(place)
    yield opened
    opened.close()


@pytest.fixture
def mortal(place: Path) -> Iterator[Root]:
    """The same root, used by somebody whom file modes stop."""
    give_away(place)
    opened = Root(place)
    with as_a_mortal():
        yield opened
    opened.close()


# --- the root itself


def test_a_root_that_is_not_there_is_gone_for_now(tmp_path: Path) -> None:
    with pytest.raises(RootGone) as caught:
        Root(tmp_path / "nothing")
    assert caught.value.verdict is Verdict.TEMPORARY


@pytest.mark.parametrize("kind", ["symlink", "dangling", "loop", "file", "fifo"])
def test_a_root_that_is_no_directory_is_not_trusted(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "root"
    make(path, kind)
    with pytest.raises((Untrusted, RootGone)):
        Root(path)


def test_a_root_knows_when_its_path_leads_elsewhere(place: Path, root: Root) -> None:
    assert root.is_current()
    place.rename(place.with_name("moved"))
    assert not root.is_current()
    place.mkdir()
    assert not root.is_current()
    place.rmdir()
    place.symlink_to(place.with_name("moved"))
    assert not root.is_current()


def test_a_root_that_was_deleted_has_nothing_and_takes_nothing(place: Path, root: Root) -> None:
    for path in sorted(place.rglob("*"), reverse=True):
        path.rmdir()
    place.rmdir()
    root.forget()
    assert root.names("agents") == list(root.scan("agents")) == []
    assert root.read("agents/x") is None
    assert not root.exists("agents")
    with pytest.raises(FileNotFoundError):
        root.put("agents/x", b"x")
    place.mkdir()
    assert root.names("") == []
    with Opened(place) as again:
        again.put("a", b"a")
    assert (place / "a").read_bytes() == b"a"


class Opened(Root):
    def __enter__(self) -> "Opened":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def test_no_descriptor_is_left_open(place: Path) -> None:
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    for _ in range(3):
        with Opened(place) as root:
            for number in range(200):
                root.put(f"d{number}/e/f", b"x")
                assert root.read(f"d{number}/e/f") == b"x"
            (place / "d0" / "odd").symlink_to("/etc")
            with pytest.raises(Untrusted):
                root.names("d0/odd")
            (place / "d0" / "odd").unlink()
    if before:
        assert len(os.listdir("/proc/self/fd")) == before


# --- a component that must not be followed

OPERATIONS: dict[str, Callable[[Root, str], object]] = {
    "read": lambda root, path: root.read(path),
    "put": lambda root, path: root.put(path, b"new"),
    "stat": lambda root, path: root.stat(path),
    "exists": lambda root, path: root.exists(path),
    "remove": lambda root, path: root.remove(path),
    "touch": lambda root, path: root.touch(path, 1),
    "open": lambda root, path: root.open_regular(path),
    "move from": lambda root, path: root.move(path, "agents/RedCat/taken"),
    "move to": lambda root, path: root.move("agents/RedCat/mine", path),
    "names": lambda root, path: root.names(path.rpartition("/")[0]),
    "scan": lambda root, path: list(root.scan(path.rpartition("/")[0])),
    "directory": lambda root, path: root.directory(path.rpartition("/")[0], make=True),
}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("level", ["agents", "agents/RedCat", "agents/RedCat/inbox"])
@pytest.mark.parametrize("kind", ["symlink", "dangling", "loop", "file", "fifo", "socket"])
def test_a_component_that_is_no_directory_of_its_own_stops_every_operation(
    place: Path, root: Root, kind: str, level: str, operation: str
) -> None:
    (place / "agents" / "RedCat" / "mine").write_text("mine")
    (place / level).rename(place / "aside")
    target = place.parent / "secret"
    for part in ("agents/RedCat/inbox".removeprefix(level).strip("/") or ".").split("/"):
        target = target / part
    target.mkdir(parents=True, exist_ok=True)
    (target / "x.md").write_text("secret")
    make(place / level, kind, place.parent / "secret")
    before = everything(place.parent)
    with pytest.raises(Untrusted):
        OPERATIONS[operation](root, "agents/RedCat/inbox/x.md")
    if (place / "agents" / "RedCat").is_dir() and "move" not in operation:
        assert everything(place.parent) == before
    assert (target / "x.md").read_text() == "secret"


@pytest.mark.skipif(not AS_ROOT, reason="only root gives files away")
@pytest.mark.parametrize("level", ["agents", "agents/RedCat", "agents/RedCat/inbox"])
def test_a_component_of_another_owner_stops_every_operation(place: Path, root: Root, level: str) -> None:
    os.chown(place / level, 12345, -1)
    for operation in ("read", "put", "stat", "remove", "names"):
        with pytest.raises(Untrusted, match="another owner"):
            OPERATIONS[operation](root, "agents/RedCat/inbox/x.md")


@pytest.mark.skipif(not AS_ROOT, reason="only root mounts")
def test_a_component_on_another_device_is_not_trusted(place: Path, root: Root) -> None:
    import subprocess

    inside = place / "agents" / "RedCat" / "inbox"
    if subprocess.run(["mount", "-t", "tmpfs", "none", str(inside)], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let us mount")
    try:
        with pytest.raises(Untrusted, match="another device"):
            root.put("agents/RedCat/inbox/x.md", b"x")
    finally:
        root.close()
        subprocess.run(["umount", str(inside)], check=True)


def test_dots_and_slashes_in_a_walk_lead_nowhere_new(place: Path, root: Root) -> None:
    # Paths are made by `layout` and by names that a directory listed; this is the second line.
    assert root.directory("") == root.directory(".") == root.fd
    with pytest.raises(Untrusted):
        (place / "up").symlink_to("..")
        root.names("up")


# --- a name that is not a plain file


@pytest.mark.parametrize("kind", ["symlink", "dangling", "loop", "fifo", "socket", "directory"])
def test_what_is_no_plain_file_is_not_read(place: Path, root: Root, kind: str) -> None:
    make(place / "agents" / "x.md", kind, place.parent / "secret" / "x.md")
    assert root.read("agents/x.md") is None
    assert root.exists("agents/x.md")


@pytest.mark.parametrize("kind", ["symlink", "dangling", "loop", "fifo", "socket", "file", "directory", "full directory"])
@pytest.mark.parametrize("how", ["put", "move"])
def test_what_is_written_replaces_whatever_was_there_and_follows_nothing(
    place: Path, root: Root, kind: str, how: str
) -> None:
    make(place / "agents" / "x.md", kind, place.parent / "secret" / "x.md")
    if how == "put":
        root.put("agents/x.md", b"new")
    else:
        root.put("agents/other", b"new")
        assert root.move("agents/other", "agents/x.md")
    found = everything(place)
    assert found.pop("agents/x.md") == b"new"
    assert found == ({"agents/x.md.0.orig/inside": b"inside"} if kind == "full directory" else {})
    assert everything(place.parent / "secret") == {"x.md": b"secret"}


@pytest.mark.parametrize("kind", ["symlink", "dangling", "loop", "fifo", "socket", "file", "directory", "full directory"])
def test_what_is_removed_is_the_name_alone_and_nobodys_directory_is_destroyed(place: Path, root: Root, kind: str) -> None:
    for _ in range(2):
        make(place / "agents" / "x.md", kind, place.parent / "secret" / "x.md")
        root.remove("agents/x.md")
        assert not root.exists("agents/x.md")
        root.remove("agents/x.md")
    expected = {f"agents/x.md.{n}.orig/inside": b"inside" for n in range(2)} if kind == "full directory" else {}
    assert everything(place) == expected
    assert everything(place.parent / "secret") == {"x.md": b"secret"}


@pytest.mark.parametrize("kind", ["symlink", "fifo", "socket", "file", "directory", "full directory"])
def test_a_draft_that_is_in_the_way_is_cleared(place: Path, root: Root, kind: str) -> None:
    make(place / "agents" / ".x.md.tmp", kind, place.parent / "secret" / "x.md")
    root.put("agents/x.md", b"new")
    found = everything(place)
    assert found.pop("agents/x.md") == b"new"
    assert found == ({"agents/.x.md.tmp.0.orig/inside": b"inside"} if kind == "full directory" else {})
    assert everything(place.parent / "secret") == {"x.md": b"secret"}


def test_a_directory_of_a_long_name_can_be_moved_aside(place: Path, root: Root) -> None:
    for name in ("n" * 255, "é" * 127):
        make(place / "agents" / name, "full directory")
        root.remove(f"agents/{name}")
        assert not (place / "agents" / name).exists()
    assert len(everything(place)) == 2


# --- put


def test_a_file_has_the_mode_and_the_time_that_it_was_given(place: Path, root: Root) -> None:
    root.put("agents/RedCat/inbox/deep/er/x.md", b"words", mtime_ns=1_767_225_600_123_456_000)
    about = (place / "agents/RedCat/inbox/deep/er/x.md").stat()
    assert (stat.S_IMODE(about.st_mode), about.st_mtime_ns) == (0o444, 1_767_225_600_123_456_000)
    root.put("agents/RedCat/inbox/deep/er/x.md", b"other", mode=0o644)
    assert stat.S_IMODE((place / "agents/RedCat/inbox/deep/er/x.md").stat().st_mode) == 0o644


@pytest.mark.parametrize(
    "name",
    [
        "n" * 250,
        "n" * 255,
        "é" * 127,
        "日" * 85,
        "🐈" * 63,
        "a" + "🐈" * 63,
        "new\nline",
        "-rf",
        "trailing ",
        "caf\udce9",
        "~",
        " ",
    ],
)
def test_a_name_of_any_bytes_and_any_length_can_be_written_moved_and_removed(place: Path, root: Root, name: str) -> None:
    root.put(f"agents/{name}", b"words")
    assert root.names("agents") in (["RedCat", name], [name, "RedCat"])
    assert root.read(f"agents/{name}") == b"words"
    root.touch(f"agents/{name}", 5)
    assert root.stat(f"agents/{name}").st_mtime_ns == 5  # type: ignore[union-attr]
    assert root.move(f"agents/{name}", f"agents/RedCat/{name}")
    assert root.names("agents/RedCat") in (["inbox", name], [name, "inbox"])
    root.remove(f"agents/RedCat/{name}")
    assert root.names("agents/RedCat") == ["inbox"]


@pytest.mark.parametrize("call", ["write", "utime", "rename"])
def test_a_disk_that_refuses_leaves_the_old_file_and_no_draft(
    place: Path, root: Root, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    root.put("agents/x.md", b"old")

    def refuse(*arguments: object, **named: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(os, call, refuse)
        root.put("agents/x.md", b"new", mtime_ns=5)
    assert everything(place) == {"agents/x.md": b"old"}


def test_a_write_that_takes_a_few_bytes_at_a_time_is_finished(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, bytes(data)[:3]))
    root.put("agents/x.md", b"0123456789")
    assert root.read("agents/x.md") == b"0123456789"


# --- read


def test_a_huge_sparse_file_is_not_read(place: Path, root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    with (place / "agents" / "x.md").open("wb") as file:
        file.truncate(1 << 40)
    monkeypatch.setattr(os, "read", None)
    assert root.read("agents/x.md") is None


def test_a_file_that_grows_while_it_is_read_gives_one_byte_more_than_it_had(place: Path) -> None:
    (place / "x.md").write_bytes(b"0123456789")
    fd = os.open(place / "x.md", os.O_RDONLY)
    try:
        assert disk.read_all(fd, 4) == b"01234"
    finally:
        os.close(fd)


def test_a_file_that_shrinks_while_it_is_read_gives_what_it_has(place: Path) -> None:
    (place / "x.md").write_bytes(b"0123")
    fd = os.open(place / "x.md", os.O_RDONLY)
    try:
        assert disk.read_all(fd, 10) == b"0123"
    finally:
        os.close(fd)


def test_a_file_that_may_not_be_read_says_so(mortal: Root) -> None:
    mortal.put("agents/x.md", b"x", mode=0)
    with pytest.raises(PermissionError):
        mortal.read("agents/x.md")


def test_a_directory_that_may_not_be_searched_says_so(mortal: Root) -> None:
    mortal.put("agents/sub/x.md", b"x")
    mortal.forget()
    os.chmod("sub", 0, dir_fd=mortal.directory("agents"))
    for operation in ("read", "put", "names"):
        with pytest.raises(PermissionError):
            OPERATIONS[operation](mortal, "agents/sub/x.md")


# --- names that change between two operations


def test_a_directory_that_was_opened_stays_the_one_that_was_checked(place: Path, root: Root) -> None:
    root.put("agents/RedCat/inbox/a.md", b"a")
    (place / "agents" / "RedCat").rename(place / "moved")
    (place / "agents" / "RedCat").symlink_to(place.parent / "secret")
    root.put("agents/RedCat/inbox/b.md", b"b")
    assert sorted(p.name for p in (place / "moved" / "inbox").iterdir()) == ["a.md", "b.md"]
    root.forget()
    with pytest.raises(Untrusted):
        root.put("agents/RedCat/inbox/c.md", b"c")
    assert everything(place.parent / "secret") == {"x.md": b"secret"}


def test_more_directories_than_are_kept_open_are_walked_to_again(place: Path, root: Root) -> None:
    for number in range(200):
        root.put(f"a/b/c/{number}/x", b"%d" % number)
    for number in range(200):
        assert root.move(f"a/b/c/{number}/x", f"a/b/c/{(number + 100) % 200}/y")
    assert (place / "a/b/c/150/y").read_bytes() == b"50"


def test_a_source_that_is_gone_is_no_error(root: Root) -> None:
    assert not root.move("agents/nothing", "agents/RedCat/x")
    assert not root.move("nowhere/nothing", "agents/RedCat/x")
    root.touch("agents/nothing", 5)
    root.touch("nowhere/nothing", 5)
    root.remove("nowhere/nothing")


# --- files of the home


def test_a_file_of_the_home_is_replaced_whole_and_for_its_owner_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.json"
    disk.replace(path, b"old", durable=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with monkeypatch.context() as patch, pytest.raises(OSError, match="refused"):
        patch.setattr(os, "fsync", lambda fd: (_ for _ in ()).throw(OSError(5, "refused")))
        disk.replace(path, b"new", durable=True)
    assert path.read_bytes() == b"old"
    disk.replace(path, b"new", durable=True)
    assert (path.read_bytes(), os.listdir(tmp_path).count(".state.json.tmp")) == (b"new", 0)


def test_a_checkpoint_holds_for_one_boot(monkeypatch: pytest.MonkeyPatch) -> None:
    oid = "a1" * 20
    assert disk.parse_checkpoint(disk.checkpoint_text(oid)) == oid
    text = disk.checkpoint_text(oid)
    monkeypatch.setattr(disk, "boot_id", lambda: "another")
    assert disk.parse_checkpoint(text) == ""


@pytest.mark.parametrize("data", [b"", b"\0" * 78, b"\xff", b"a1" * 19, b"A1" * 20, b"../../etc/passwd"])
def test_a_checkpoint_that_is_none_is_none(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "boot_id", lambda: "")
    assert disk.parse_checkpoint(data) == ""
