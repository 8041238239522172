"""The home's own files."""

import json
import os
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from gitmaild.edges import home as home_module
from gitmaild.edges.home import Home, LeaseViews, NetworkFileSystem, ThreadIndex, file_system
from gitmaild.model.ids import stamp
from tests.edges.mailboxes import START

TOP = str(Path(__file__).parents[2])


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.make()
    return made


# --- places


def test_a_home_is_made_for_its_owner_alone_and_again_without_harm(tmp_path: Path) -> None:
    home = Home(tmp_path / "a" / "b" / "home")
    home.make()
    home.path.chmod(0o755)
    (home.state / "tip").write_text("kept")
    home.make()
    assert [stat.S_IMODE(path.stat().st_mode) for path in (home.path, home.state, home.post)] == [0o700] * 3
    assert (home.state / "tip").read_text() == "kept"
    assert not home.exists()


MOUNTS = """\
/dev/vda / ext4 rw,relatime 0 0
proc /proc proc rw 0 0
server:/export /home/me nfs4 rw 0 0
tmpfs /home/me/fast tmpfs rw 0 0
//host/share /mnt/with\\040blank\\011tab cifs rw 0 0
C:\\134 /mnt/c\\134d 9p rw 0 0
/dev/vdb /data ext4 rw 0 0
server:/x /data nfs rw 0 0
broken line
x
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/var/lib", "ext4"),
        ("/home/me", "nfs4"),
        ("/home/me/.gitmaild", "nfs4"),
        ("/home/meadow", "ext4"),
        ("/home/me/fast/x", "tmpfs"),
        ("/mnt/with blank\ttab/x", "cifs"),
        ("/mnt/c\\d/x", "9p"),
        ("/data/x", "nfs"),  # mounted over
    ],
)
def test_the_file_system_of_a_path_is_that_of_the_innermost_mount(path: str, kind: str) -> None:
    assert file_system(Path(path), MOUNTS) == kind


def test_where_mounts_do_not_say_nothing_is_known() -> None:
    assert file_system(Path("/x"), "") == file_system(Path("/x"), "a /y ext4 rw 0 0\n") == ""


def test_a_home_on_a_network_disk_is_refused_unless_that_is_wished_for(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home_module, "_mounts", lambda: f"server:/x {home.path} nfs rw 0 0\n")
    with pytest.raises(NetworkFileSystem, match=r"is on nfs.*allow_network_fs: true"):
        home.check_file_system(allow_network=False)
    home.check_file_system(allow_network=True)
    monkeypatch.setattr(home_module, "_mounts", lambda: f"/dev/vda {home.path} ext4 rw 0 0\n")
    home.check_file_system(allow_network=False)


def test_a_home_behind_a_symlink_is_judged_by_where_it_leads(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "local").symlink_to(home.path)
    monkeypatch.setattr(home_module, "_mounts", lambda: f"/dev/vda / ext4 rw 0 0\nserver:/x {home.path} nfs rw 0 0\n")
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / "local", Path("local"), Path("home")):
        with pytest.raises(NetworkFileSystem):
            Home(path).check_file_system(allow_network=False)


def test_this_machine_knows_its_own_mounts(home: Home) -> None:
    if Path("/proc/self/mounts").exists():
        assert file_system(home.path.resolve(), home_module._mounts()) != ""


# --- the registry


def test_the_registry_is_changed_whole(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home.registry() == b""
    home.change_registry(lambda data: data + b"one\n")
    home.change_registry(lambda data: data + b"two\n")
    assert home.registry() == b"one\ntwo\n"

    def refuse(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(os, "replace", refuse)
        home.change_registry(lambda data: data + b"three\n")
    with pytest.raises(ZeroDivisionError):
        home.change_registry(lambda data: b"%d" % (1 // 0))
    assert home.registry() == b"one\ntwo\n"


def test_a_change_that_changes_nothing_writes_nothing(home: Home) -> None:
    home.change_registry(lambda data: b"one\n")
    before = home.roots.stat()
    home.change_registry(lambda data: data)
    assert (home.roots.stat().st_ino, home.roots.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.slow
def test_two_processes_that_change_the_registry_lose_nothing(home: Home) -> None:
    program = (
        "import sys; from pathlib import Path; from gitmaild.edges.home import Home\n"
        f"home = Home(Path({str(home.path)!r}))\n"
        "for n in range(40): home.change_registry(lambda data: data + f'{sys.argv[1]} {n}\\n'.encode())\n"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", program, who], env={**os.environ, "PYTHONPATH": TOP})
        for who in ("one", "two", "three")
    ]
    assert [child.wait() for child in children] == [0, 0, 0]
    lines = home.registry().decode().splitlines()
    assert sorted(lines) == sorted(f"{who} {n}" for who in ("one", "two", "three") for n in range(40))
    assert [int(line.split()[1]) for line in lines if line.startswith("one")] == list(range(40))


# --- state


def test_the_tip_is_what_was_set_and_nothing_else(home: Home) -> None:
    assert home.tip() == ""
    home.set_tip("a1" * 20)
    assert Home(home.path).tip() == "a1" * 20
    for odd in (b"", b"\0" * 41, b"x" * 40, b"A1" * 20, b"a1" * 30, b"\xff"):
        (home.state / "tip").write_bytes(odd)
        assert home.tip() == ""


def test_a_state_file_that_is_damaged_is_an_empty_one(home: Home) -> None:
    assert home.load("status.json") == {}
    home.store("status.json", {"accepted": 5, "text": "größe"})
    assert home.load("status.json") == {"accepted": 5, "text": "größe"}
    for odd in (b"", b"{", b"[]", b"5", b"\xff", b'"x"', b"\0" * 10):
        (home.state / "status.json").write_bytes(odd)
        assert home.load("status.json") == {}
    (home.state / "status.json").unlink()
    (home.state / "status.json").mkdir()
    assert home.load("status.json") == {}


def test_a_state_file_is_json_for_others_to_read(home: Home) -> None:
    home.store("status.json", {"a": [1, 2]})
    assert json.loads((home.state / "status.json").read_text()) == {"a": [1, 2]}


# --- the thread index


def row(number: int) -> tuple[str, str, str]:
    return stamp(START + timedelta(microseconds=number)), f"msg_20260101_{number:08x}", f"{number:040x}"


@pytest.fixture
def index(home: Home) -> ThreadIndex:
    return ThreadIndex(home.state / "threads")


def test_a_thread_has_its_messages_oldest_first_and_each_once(index: ThreadIndex) -> None:
    assert index.rows("shop", "br-123") == []
    index.add("shop", "br-123", [row(1), row(2)])
    index.add("shop", "br-123", [row(3)])
    index.add("shop-web", "br-123", [row(9)])
    index.add("shop", "br-123", [row(1), row(2), row(3)])  # replayed
    assert index.rows("shop", "br-123") == [row(1), row(2), row(3)]
    assert index.rows("shop-web", "br-123") == [row(9)]


@pytest.mark.parametrize("cut", [*range(1, 100, 7), 92, 93, 94, 95])
def test_a_torn_line_is_left_out_and_costs_no_other(index: ThreadIndex, home: Home, cut: int) -> None:
    index.add("shop", "br-123", [row(1)])
    index.add("shop", "br-123", [row(2)])
    path = home.state / "threads" / "shop" / "br-123"
    whole = path.read_bytes()
    size = len(whole) // 2
    os.truncate(path, size + min(cut, size - 1))
    assert index.rows("shop", "br-123") in ([row(1)], [row(1), row(2)])
    index.add("shop", "br-123", [row(2), row(3)])  # the replay begins with what was torn
    assert index.rows("shop", "br-123") == [row(1), row(2), row(3)]


@pytest.mark.parametrize(
    "litter", [b"\0" * 50, b"\xff\xfe", b"a b c\n", b"\n\n", b"one two " + b"3" * 39, b"a b c d e\n"], ids=range(6)
)
def test_what_is_no_row_is_left_out_and_costs_no_other(index: ThreadIndex, home: Home, litter: bytes) -> None:
    index.add("shop", "br-123", [row(1)])
    path = home.state / "threads" / "shop" / "br-123"
    path.write_bytes(path.read_bytes() + b"\n" + litter)
    index.add("shop", "br-123", [row(2)])
    assert index.rows("shop", "br-123") == [row(1), row(2)]


def test_threads_are_told_by_what_was_written_to_last_also_after_a_rebuild(index: ThreadIndex) -> None:
    adds = [("a", 1), ("b", 2), ("c", 3), ("a", 4), ("d", 5), ("b", 6)]
    for thread, number in adds:
        index.add("shop", thread, [row(number)])
    assert index.newest("shop", 10) == ["b", "d", "a", "c"]
    assert index.newest("shop", 2) == ["b", "d"]
    assert index.newest("elsewhere", 2) == []
    index.clear()
    assert (index.newest("shop", 10), index.rows("shop", "a")) == ([], [])
    for thread in "dcba":
        index.add("shop", thread, [row(number) for name, number in adds if name == thread])
    assert index.newest("shop", 10) == ["b", "d", "a", "c"]


def test_a_project_may_have_any_name_that_a_project_may_have(index: ThreadIndex) -> None:
    for slug in ("checkpoint", "tip", "-", "threads", "lock"):
        index.set_checkpoint("a1" * 20)
        index.add(slug, "br-123", [row(1)])
        index.set_checkpoint("b2" * 20)
        assert (index.checkpoint(), index.rows(slug, "br-123")) == ("b2" * 20, [row(1)])


def test_the_index_knows_how_far_it_is(index: ThreadIndex) -> None:
    assert index.checkpoint() == ""
    index.clear()
    index.set_checkpoint("a1" * 20)
    assert index.checkpoint() == "a1" * 20
    index.clear()
    assert index.checkpoint() == ""


# --- lease views


def test_a_lease_view_is_replaced_whole_and_readable_by_every_guard(home: Home) -> None:
    views = LeaseViews(home.state / "leases")
    views.put("shop", b"one\n")
    before = (home.state / "leases" / "shop").stat().st_ino
    views.put("shop", b"two\n")
    file = home.state / "leases" / "shop"
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (b"two\n", 0o644)
    assert file.stat().st_ino != before, "who has it open reads on in the old one"
    assert os.listdir(home.state / "leases") == ["shop"]


def test_lease_views_are_dated_by_who_vouches_for_them(home: Home) -> None:
    views = LeaseViews(home.state / "leases")
    views.touch(10**18)  # where there is none yet, nothing happens
    for project in ("shop", "shop-web"):
        views.put(project, b"view\n")
    views.touch(1_767_225_600 * 10**9 + 7)
    assert {path.stat().st_mtime_ns for path in (home.state / "leases").iterdir()} == {1_767_225_600 * 10**9 + 7}
