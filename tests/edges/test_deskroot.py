"""One desk root: what is taken, what is refused, and that nothing is lost on the way."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitmaild.edges.deskroot import DeskRoot
from gitmaild.edges.disk import RootGone, Untrusted
from gitmaild.model import drop
from gitmaild.model.drop import Claim
from gitmaild.model.errors import Refused
from tests.edges.oddities import AS_ROOT, KINDS, as_a_mortal, everything, give_away, make

LIMIT = 256 * 1024
ID = "cmd_20260101_7b3dc3a7"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "x.md").write_text("secret")
    (tmp_path / ".gitmaild" / "agents" / "GreenCastle" / "outbox" / "files").mkdir(parents=True)
    return tmp_path / ".gitmaild"


@pytest.fixture
def root(place: Path) -> Iterator[DeskRoot]:
    opened = DeskRoot(place, "shop", at_home=False)
    yield opened
    opened.close()


@pytest.fixture
def outbox(place: Path) -> Path:
    return place / "agents" / "GreenCastle" / "outbox"


@pytest.fixture
def rejected(place: Path) -> Path:
    return place / "agents" / "GreenCastle" / "rejected"


def claimed(root: DeskRoot, name: str, an_id: str = ID) -> Claim:
    claim = drop.claim(root.key, "GreenCastle", an_id, name)
    assert root.claim(claim, name)
    return claim


# --- desks


def test_desks_are_the_directories_whatever_their_names(place: Path, root: DeskRoot) -> None:
    for name in ("RedCat", "lowercase", "with blank", ".hidden", "Overseer", "Postmaster"):
        (place / "agents" / name).mkdir()
    make(place / "agents" / "notes.md", "file")
    make(place / "agents" / "pipe", "fifo")
    make(place / "agents" / "plug", "socket")
    assert root.desks() == ["GreenCastle", "RedCat", "lowercase", "with blank"]
    assert root.forged() == ["Overseer", "Postmaster"]


def test_the_overseers_desk_is_at_home(place: Path) -> None:
    for name in ("Overseer", "Postmaster"):
        (place / "agents" / name).mkdir()
    home = DeskRoot(place, "shop", at_home=True)
    assert (home.desks(), home.forged()) == (["GreenCastle", "Overseer"], ["Postmaster"])
    home.close()


@pytest.mark.parametrize("kind", ["symlink", "dangling", "loop"])
@pytest.mark.parametrize("target", ["secret", "secret/x.md"])
def test_a_desk_that_is_a_symlink_is_told_by_itself_and_stops_the_root(
    place: Path, root: DeskRoot, kind: str, target: str
) -> None:
    make(place / "agents" / "RedCat", kind, place.parent / target)
    assert root.desks() == ["GreenCastle", "RedCat"]
    assert not root.has_desk("RedCat")
    with pytest.raises(Untrusted):
        root.waiting("RedCat")
    with pytest.raises(Untrusted):
        root.make_desk("RedCat")
    assert everything(place.parent / "secret") == {"x.md": b"secret"}


def test_a_root_without_agents_has_no_desks(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    root = DeskRoot(tmp_path / "empty", "shop", at_home=False)
    assert (root.desks(), root.forged(), root.waiting("GreenCastle"), root.claims("GreenCastle")) == ([], [], [], [])
    assert root.watched() == [tmp_path / "empty" / "agents"]
    root.close()


def test_a_desk_is_made_whole_and_again_without_harm(place: Path, root: DeskRoot) -> None:
    for _ in range(2):
        root.make_desk("RedCat")
    names = sorted(p.name for p in (place / "agents" / "RedCat").iterdir())
    assert names == ["acked", "inbox", "outbox", "read", "rejected", "sent"]
    assert place / "agents" / "RedCat" / "outbox" in root.watched()


# --- waiting


def test_what_waits_is_told_oldest_first_and_litter_is_nobodys_business(outbox: Path, root: DeskRoot) -> None:
    for age, name in enumerate(["c.md", "a.yaml", "b.md"]):
        (outbox / name).write_text("x" * age)
        os.utime(outbox / name, ns=(0, 1000 + age))
    for name in (".x.md.swp", "x.md~", ".#x.md", "4913", "x.tmp", "x.md.tmp", "x.md.part", "x.md.swp", "x.txt", ".md"):
        (outbox / name).write_text("litter")
    found = root.waiting("GreenCastle")
    assert [(w.name, w.size, w.mtime_ns, w.regular) for w in found] == [
        ("c.md", 0, 1000, True),
        ("a.yaml", 1, 1001, True),
        ("b.md", 2, 1002, True),
    ]
    assert found[0].inode == (outbox / "c.md").stat().st_ino


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_plain_file_waits_too_and_is_not_followed(outbox: Path, root: DeskRoot, kind: str) -> None:
    make(outbox / "x.md", kind, outbox.parents[3] / "secret" / "x.md")
    assert [(w.name, w.regular) for w in root.waiting("GreenCastle")] == [("x.md", False)]
    assert root.peek("GreenCastle", "x.md", LIMIT) == b""


def test_a_file_that_goes_while_we_look_is_no_error(outbox: Path, root: DeskRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        (outbox / f"{number}.md").write_text("x")
    looking = root.entries("agents/GreenCastle/outbox")
    next(looking)
    for path in outbox.glob("*.md"):
        path.unlink()
    assert [name for name, _, _ in looking if name.endswith(".md")] == []


def test_a_look_takes_a_bounded_number_and_the_oldest_of_them(
    outbox: Path, root: DeskRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gitmaild.edges.deskroot._LOOK_AT_ONCE", 3)
    for number in range(10):
        (outbox / f"{number}.md").touch()
        os.utime(outbox / f"{number}.md", ns=(0, 100 - number))
    assert [w.name for w in root.waiting("GreenCastle")] == ["9.md", "8.md", "7.md"]


# --- claim and take


def test_a_file_is_claimed_by_a_rename_and_read_as_it_is(outbox: Path, root: DeskRoot) -> None:
    (outbox / "hello.md").write_bytes(b"words\r\n\0\xff")
    claim = claimed(root, "hello.md")
    assert not (outbox / "hello.md").exists()
    assert os.listdir(outbox / ".claimed") == [f"{ID}.hello.md"]
    assert root.claims("GreenCastle") == [claim]
    dropped = root.take(claim, LIMIT)
    assert (dropped.data, dropped.size) == (b"words\r\n\0\xff", 9)
    assert root.done(claim, dropped)
    assert os.listdir(outbox / ".claimed") == []


def test_a_file_that_is_gone_is_not_claimed_and_not_read(outbox: Path, root: DeskRoot) -> None:
    claim = drop.claim(root.key, "GreenCastle", ID, "gone.md")
    assert not root.claim(claim, "gone.md")
    with pytest.raises(FileNotFoundError):
        root.take(claim, LIMIT)
    assert root.done(claim, None)
    assert root.reject(claim, b"why") == "gone.md"


def test_only_names_that_we_gave_are_claims(outbox: Path, root: DeskRoot) -> None:
    (outbox / ".claimed").mkdir()
    for name in ("x.md", "cmd_.x.md", f"{ID}", f"{ID.upper()}.x.md", f"{ID}.y.md", "cmd_20260101_7b3dc3a7 .x.md"):
        (outbox / ".claimed" / name).write_text("x")
    assert [claim.file for claim in root.claims("GreenCastle")] == [f"{ID}.y.md"]


CODES = {
    "symlink": "symlink",
    "dangling": "symlink",
    "loop": "symlink",
    "fifo": "FIFO",
    "socket": "socket",
    "directory": "directory",
    "full directory": "directory",
}


@pytest.mark.parametrize("kind", CODES)
def test_what_is_no_plain_file_is_refused_by_its_kind_and_goes_to_rejected_as_it_is(
    place: Path, outbox: Path, rejected: Path, root: DeskRoot, kind: str
) -> None:
    make(outbox / "x.md", kind, place.parent / "secret" / "x.md")
    before = os.lstat(outbox / "x.md").st_ino
    claim = claimed(root, "x.md")
    with pytest.raises(Refused, match=f"not a regular file: {CODES[kind]}") as caught:
        root.take(claim, LIMIT)
    assert caught.value.refusal.code == "not-a-file"
    assert root.reject(claim, b"why") == "x.md"
    assert os.lstat(rejected / "x.md").st_ino == before
    assert (rejected / "x.md.why.md").read_bytes() == b"why"
    assert everything(place.parent / "secret") == {"x.md": b"secret"}


@pytest.mark.skipif(not AS_ROOT, reason="only root makes devices")
def test_a_device_is_refused(outbox: Path, root: DeskRoot) -> None:
    try:
        os.mknod(outbox / "x.md", stat.S_IFCHR | 0o666, os.makedev(1, 5))  # /dev/zero has no end
    except PermissionError:
        pytest.skip("this machine does not let us make devices")
    claim = claimed(root, "x.md")
    with pytest.raises((Refused, PermissionError)):  # a mount may forbid devices
        root.take(claim, LIMIT)


def test_a_hard_link_is_refused_whoever_has_the_other_name(place: Path, outbox: Path, root: DeskRoot) -> None:
    os.link(place.parent / "secret" / "x.md", outbox / "x.md")
    claim = claimed(root, "x.md")
    with pytest.raises(Refused, match="2 hard links"):
        root.take(claim, LIMIT)
    root.reject(claim, b"why")
    assert (place.parent / "secret" / "x.md").read_text() == "secret"


@pytest.mark.skipif(not AS_ROOT, reason="only root gives files away")
def test_a_file_of_another_owner_is_refused(outbox: Path, root: DeskRoot) -> None:
    (outbox / "x.md").write_text("x")
    os.chown(outbox / "x.md", 12345, -1)
    claim = claimed(root, "x.md")
    with pytest.raises(Refused) as caught:
        root.take(claim, LIMIT)
    assert caught.value.refusal.code == "other-owner"


@pytest.fixture
def mortal(place: Path) -> Iterator[DeskRoot]:
    """The same root, used by somebody whom file modes stop; `odd.md` may not be read, `odd/` not be moved."""
    outbox = place / "agents" / "GreenCastle" / "outbox"
    (outbox / "odd.md").write_text("x")
    (outbox / "dir.md").mkdir()
    give_away(place)
    (outbox / "odd.md").chmod(0)
    (outbox / "dir.md").chmod(0)
    opened = DeskRoot(place, "shop", at_home=False)
    with as_a_mortal():
        yield opened
    opened.close()
    (outbox / "dir.md").chmod(0o700) if (outbox / "dir.md").exists() else None


def test_a_file_that_may_not_be_read_is_refused_with_the_way_out(rejected: Path, mortal: DeskRoot) -> None:
    assert mortal.peek("GreenCastle", "odd.md", LIMIT) == b""
    claim = claimed(mortal, "odd.md")
    with pytest.raises(Refused) as caught:
        mortal.take(claim, LIMIT)
    assert (caught.value.refusal.code, "chmod" in caught.value.refusal.mend) == ("unreadable", True)
    assert mortal.reject(claim, b"why") == "odd.md"
    assert sorted(mortal.names("agents/GreenCastle/rejected")) == ["odd.md", "odd.md.why.md"]


def test_a_directory_that_its_mode_nails_down_waits_and_does_not_stop_the_root(mortal: DeskRoot) -> None:
    assert not mortal.claim(drop.claim(mortal.key, "GreenCastle", ID, "dir.md"), "dir.md")
    assert [w.name for w in mortal.waiting("GreenCastle")].count("dir.md") == 1


def test_a_huge_sparse_file_is_refused_by_its_size_and_not_read(
    outbox: Path, root: DeskRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (outbox / "x.md").open("wb") as file:
        file.truncate(1 << 30)
    claim = claimed(root, "x.md")
    monkeypatch.setattr(os, "read", None)
    assert root.peek("GreenCastle", "x.md", LIMIT) == b""
    with pytest.raises(Refused, match="1073741824 bytes; limit 262144"):
        root.take(claim, LIMIT)


def test_a_file_of_the_limit_is_taken_and_one_byte_more_is_not(outbox: Path, root: DeskRoot) -> None:
    (outbox / "x.md").write_bytes(b"x" * 100)
    claim = claimed(root, "x.md")
    assert len(root.take(claim, 100).data) == 100
    with pytest.raises(Refused):
        root.take(claim, 99)


@pytest.mark.parametrize("when", ["between scan and claim", "between claim and read"])
@pytest.mark.parametrize("kind", CODES)
def test_a_file_that_is_swapped_in_between_is_refused_and_what_it_leads_to_is_not_read(
    place: Path, outbox: Path, root: DeskRoot, when: str, kind: str
) -> None:
    (outbox / "x.md").write_text("harmless")
    assert root.peek("GreenCastle", "x.md", LIMIT) == b"harmless"
    claim = drop.claim(root.key, "GreenCastle", ID, "x.md")
    swapped = outbox / "x.md"
    if when == "between claim and read":
        assert root.claim(claim, "x.md")
        swapped = outbox / ".claimed" / claim.file
    swapped.unlink()
    make(swapped, kind, place.parent / "secret" / "x.md")
    if when == "between scan and claim":
        assert root.claim(claim, "x.md")
    with pytest.raises(Refused):
        root.take(claim, LIMIT)


@pytest.mark.parametrize("directory", ["outbox", "outbox/.claimed", "rejected", ""])
def test_a_desk_that_is_swapped_for_a_symlink_is_not_followed_on_the_next_walk(
    place: Path, root: DeskRoot, directory: str
) -> None:
    desk = place / "agents" / "GreenCastle"
    (desk / "outbox" / "x.md").write_text("x")
    claim = claimed(root, "x.md")
    (desk / "rejected").mkdir()
    root.forget()
    target = place.parent / "target"
    (desk / directory).rename(target) if directory else desk.rename(target)
    (desk / directory if directory else desk).symlink_to(target)
    before = everything(target)
    with pytest.raises(Untrusted):
        root.reject(claim, b"why")
    assert everything(target) == before


def test_a_root_that_was_deleted_and_made_again_is_another_one(place: Path, root: DeskRoot) -> None:
    shutil.rmtree(place)
    assert not root.is_current()
    assert root.desks() == []
    with pytest.raises(RootGone):
        DeskRoot(place, "shop", at_home=False)
    (place / "agents" / "RedCat" / "outbox").mkdir(parents=True)
    assert not root.is_current()
    again = DeskRoot(place, "shop", at_home=False)
    assert (again.is_current(), again.desks()) == (True, ["RedCat"])
    again.close()


# --- names

ODD_NAMES = [
    "n" * 252 + ".md",
    "n" * 250 + ".yaml",
    "é" * 126 + ".md",
    "日" * 84 + ".md",
    "🐈" * 63 + ".md",
    "new\nline.md",
    "caf\udce9.md",
    "-rf.md",
    "--help.md",
    " blank .md",
    "trailing.md.md",
    "$(reboot).md",
    "a;b|c&d.md",
    "\x1b]52;c;x\x07.md",
    "right\u202eleft.md",
    "CON.md",
    "a..md",
    "x.md.why.md",
]


@pytest.mark.parametrize("name", ODD_NAMES, ids=repr)
def test_under_any_name_a_file_is_claimed_read_or_refused_and_rejected_with_its_bytes_unchanged(
    outbox: Path, rejected: Path, root: DeskRoot, name: str
) -> None:
    for number in range(3):
        (outbox / name).write_bytes(b"bytes %d" % number)
        claim = claimed(root, name, f"cmd_20260101_{number:08x}")
        assert root.claims("GreenCastle") == [claim]
        try:
            assert root.take(claim, LIMIT).data == b"bytes %d" % number
        except Refused as refused:
            assert refused.refusal.code == "bad-file-name"
            assert not claim.name.isprintable()
        where = root.reject(claim, b"why %d" % number)
        assert (rejected / where).read_bytes() == b"bytes %d" % number
        assert (rejected / f"{where}.why.md").read_bytes() == b"why %d" % number
    assert len(os.listdir(rejected)) == 6
    assert os.listdir(outbox / ".claimed") == []


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("plain.md", False),
        ("größe 日本 🐈.md", False),
        ("caf\udce9.md", True),
        ("🐈\udcff.md", True),
        ("new\nline.md", True),
        ("\x07.md", True),
    ],
)
def test_a_name_that_no_terminal_should_print_is_refused(outbox: Path, root: DeskRoot, name: str, refused: bool) -> None:
    (outbox / name).write_text("x")
    claim = claimed(root, name)
    if refused:
        with pytest.raises(Refused, match="not printable UTF-8"):
            root.take(claim, LIMIT)
    else:
        assert root.take(claim, LIMIT).data == b"x"


@given(name=st.binary(min_size=1, max_size=252))
def test_any_bytes_that_a_file_system_takes_come_through(tmp_path_factory: pytest.TempPathFactory, name: bytes) -> None:
    text = os.fsdecode(name.replace(b"/", b"").replace(b"\0", b"").lstrip(b".")) + ".md"
    place = tmp_path_factory.mktemp("root", numbered=True)
    (place / "agents" / "GreenCastle" / "outbox").mkdir(parents=True)
    root = DeskRoot(place, "shop", at_home=False)
    try:
        (place / "agents" / "GreenCastle" / "outbox" / text).write_bytes(b"x")
        for waiting in root.waiting("GreenCastle"):
            claim = claimed(root, waiting.name)
            where = root.reject(claim, b"why")
            assert root.read(f"agents/GreenCastle/rejected/{where}") == b"x"
    finally:
        root.close()
        shutil.rmtree(place)


# --- rejected


def test_a_second_file_of_a_name_is_rejected_beside_the_first(outbox: Path, rejected: Path, root: DeskRoot) -> None:
    for number in range(2):
        (outbox / "x.md").write_bytes(b"%d" % number)
        root.reject(claimed(root, "x.md", f"cmd_20260101_{number:08x}"), b"why %d" % number)
    assert {p.name: p.read_bytes() for p in rejected.iterdir()} == {
        "x.md": b"0",
        "x.md.why.md": b"why 0",
        "x.00000001.md": b"1",
        "x.00000001.md.why.md": b"why 1",
    }


def test_a_reason_never_falls_on_a_file_that_was_rejected(outbox: Path, rejected: Path, root: DeskRoot) -> None:
    (outbox / "x.md.why.md").write_bytes(b"a file")
    root.reject(claimed(root, "x.md.why.md", "cmd_20260101_00000001"), b"why 1")
    (outbox / "x.md").write_bytes(b"another")
    where = root.reject(claimed(root, "x.md", "cmd_20260101_00000002"), b"why 2")
    assert (rejected / "x.md.why.md").read_bytes() == b"a file"
    assert (rejected / where).read_bytes() == b"another"
    assert (rejected / f"{where}.why.md").read_bytes() == b"why 2"


@pytest.mark.parametrize("name", ["x.md", "x.md.why.md"])
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_lies_in_rejected_already_a_file_is_rejected_and_nothing_is_lost(
    place: Path, outbox: Path, rejected: Path, root: DeskRoot, kind: str, name: str
) -> None:
    rejected.mkdir()
    make(rejected / name, kind, place.parent / "secret" / "x.md")
    (outbox / "x.md").write_bytes(b"mine")
    where = root.reject(claimed(root, "x.md"), b"why")
    assert (rejected / where).read_bytes() == b"mine"
    assert (rejected / f"{where}.why.md").read_bytes() == b"why"
    assert everything(place.parent / "secret") == {"x.md": b"secret"}
    assert b"inside" in everything(rejected).values() or kind != "full directory"


def test_a_rejection_that_was_cut_short_is_done_again(
    outbox: Path, rejected: Path, root: DeskRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    (outbox / "x.md").write_bytes(b"mine")
    claim = claimed(root, "x.md")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(root._root, "move", lambda *paths: (_ for _ in ()).throw(KeyboardInterrupt))
        root.reject(claim, b"why")
    assert root.reject(claim, b"why, again") == "x.md"
    assert {p.name: p.read_bytes() for p in rejected.iterdir()} == {"x.md": b"mine", "x.md.why.md": b"why, again"}


# --- done


def test_bytes_that_came_after_a_file_was_taken_keep_it(outbox: Path, root: DeskRoot) -> None:
    (outbox / "x.md").write_bytes(b"first")
    with (outbox / "x.md").open("ab") as still_open:
        claim = claimed(root, "x.md")
        dropped = root.take(claim, LIMIT)
        still_open.write(b" and second")
    assert not root.done(claim, dropped)
    assert (outbox / ".claimed" / claim.file).read_bytes() == b"first and second"


def test_a_claim_that_became_a_directory_keeps_it(outbox: Path, root: DeskRoot) -> None:
    (outbox / "x.md").write_bytes(b"first")
    claim = claimed(root, "x.md")
    dropped = root.take(claim, LIMIT)
    (outbox / ".claimed" / claim.file).unlink()
    make(outbox / ".claimed" / claim.file, "full directory")
    assert not root.done(claim, dropped)
    assert root.reject(claim, b"why") == "x.md"


# --- attachments


def test_an_attachment_is_read_and_removed(outbox: Path, root: DeskRoot) -> None:
    (outbox / "files" / "plan.pdf").write_bytes(b"pdf")
    assert root.attachment("GreenCastle", "plan.pdf", 10) == b"pdf"
    root.attachment_done("GreenCastle", "plan.pdf", b"pdf")
    assert os.listdir(outbox / "files") == []
    root.attachment_done("GreenCastle", "plan.pdf", b"pdf")


@pytest.mark.parametrize("kind", [*KINDS, "nothing", "too long", "hard link"])
def test_an_attachment_that_is_no_plain_file_is_refused(place: Path, outbox: Path, root: DeskRoot, kind: str) -> None:
    if kind == "too long":
        (outbox / "files" / "a").write_bytes(b"x" * 11)
    elif kind == "hard link":
        os.link(place.parent / "secret" / "x.md", outbox / "files" / "a")
    elif kind != "nothing":
        make(outbox / "files" / "a", kind, place.parent / "secret" / "x.md")
    with pytest.raises(Refused):
        root.attachment("GreenCastle", "a", 10)


def test_a_directory_of_attachments_that_is_a_symlink_is_not_followed(place: Path, outbox: Path, root: DeskRoot) -> None:
    (outbox / "files").rmdir()
    (outbox / "files").symlink_to(place.parent / "secret")
    with pytest.raises(Untrusted):
        root.attachment("GreenCastle", "x.md", 100)


# --- the mirror


def test_a_checkpoint_is_what_was_set_and_nothing_else(place: Path, root: DeskRoot) -> None:
    assert root.checkpoint() == ""
    root.set_checkpoint("a1" * 20)
    assert root.checkpoint() == "a1" * 20
    for odd in (b"", b"x" * 1000, b"\xff" * 41, b"0" * 39 + b"\n"):
        (place / ".checkpoint").unlink()
        (place / ".checkpoint").write_bytes(odd)
        assert root.checkpoint() == ""
    for kind in KINDS:
        (place / ".checkpoint").unlink()
        make(place / ".checkpoint", kind, place.parent / "secret" / "x.md")
        assert root.checkpoint() == ""
        root.set_checkpoint("b2" * 20)
        assert root.checkpoint() == "b2" * 20
    assert everything(place.parent / "secret") == {"x.md": b"secret"}


def test_entries_tell_what_is_no_plain_file_by_its_size(place: Path, root: DeskRoot) -> None:
    inbox = place / "agents" / "GreenCastle" / "inbox"
    inbox.mkdir()
    (inbox / "a").write_bytes(b"four")
    os.utime(inbox / "a", ns=(0, 7))
    for kind in KINDS:
        make(inbox / kind.replace(" ", "-"), kind, place.parent / "secret" / "x.md")
    sizes = {name: size for name, size, _ in root.entries("agents/GreenCastle/inbox")}
    assert sizes.pop("a") == 4
    assert set(sizes.values()) == {-1}
    assert list(root.entries("agents/Nobody/inbox")) == []


def test_a_directory_that_changed_says_so(place: Path, root: DeskRoot) -> None:
    assert root.changed("agents/Nobody/read") == 0
    before = root.changed("agents/GreenCastle/outbox")
    os.utime(place / "agents/GreenCastle/outbox", ns=(5, 5))
    assert (root.changed("agents/GreenCastle/outbox"), before != 5) == (5, True)


# --- the worktree around it


@pytest.mark.parametrize("path", ["app/[slug]/page.tsx", "app/[slug]", "*.py", "{a,b}", "ü", "link", "dangling"])
def test_what_is_in_the_worktree_is_known_as_it_is_written(place: Path, root: DeskRoot, path: str) -> None:
    here = place.parent
    assert not root.in_worktree(path)
    if path in ("link", "dangling"):
        (here / path).symlink_to("secret" if path == "link" else "nowhere")
    else:
        (here / path).parent.mkdir(parents=True, exist_ok=True)
        (here / path).touch()
    assert root.in_worktree(path)


@pytest.mark.parametrize(
    "path",
    ["", ".", "..", "../x", "./secret", "secret/", "/", "/etc/passwd", "secret//x.md", "secret/./x.md", "link/x.md", "secret/x.md/y", "a\0b", "x" * 300, "x/" * 3000 + "x"],
)  # fmt: skip
def test_nothing_is_in_the_worktree_that_is_outside_or_behind_a_link_or_cannot_be(
    place: Path, root: DeskRoot, path: str
) -> None:
    (place.parent / "link").symlink_to("secret")
    assert not root.in_worktree(path)


def test_a_root_in_the_home_has_no_worktree_around_it(place: Path) -> None:
    root = DeskRoot(place, "shop", at_home=True)
    assert not root.in_worktree("secret")
    root.close()


def test_a_worktree_that_is_gone_holds_nothing(place: Path, root: DeskRoot) -> None:
    place.parent.rename(place.parent.with_name("away"))
    assert not root.in_worktree("secret")
