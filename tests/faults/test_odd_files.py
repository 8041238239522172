"""Rows 26 to 38: what may lie in an outbox besides one plain, finished file."""

import os
import socket
import stat
from pathlib import Path

import pytest

from gitmaild.model.settings import Settings
from tests.faults.moments import before, refused
from tests.post import Post

SECRET = "the words of somebody else"
SOUND = "---\nto: RedCat\nsubject: news\n---\nhello\n"


@pytest.fixture
def office(post: Post) -> Post:
    """GreenCastle and RedCat are here; a secret lies beside the worktree."""
    post.agents("GreenCastle", "RedCat")
    (post.top / "secret.md").write_text(SOUND.replace("hello", SECRET))
    return post


def _outbox(post: Post) -> Path:
    return post.desk("GreenCastle") / "outbox"


def _mails(post: Post) -> list[str]:
    return [subject for subject in post.log() if subject.startswith(("deliver: ", "refuse: "))]


def _check_secret_kept(post: Post) -> None:
    """No object of the mailbox, and no file of a desk, has the secret's words."""
    for oid in set(post.tree().values()):
        assert SECRET.encode() not in post.blob(oid)
    files = [p for p in (post.worktree / ".gitmaild").rglob("*") if p.is_file() and not p.is_symlink()]
    assert [p for p in files if SECRET in p.read_text(errors="replace")] == []


# --- not a plain file


@pytest.mark.parametrize("target", ["secret", "dangling", "itself", "directory", "device"])
def test_f26_a_symlink_is_refused_and_what_it_leads_to_is_not_read(office: Post, target: str) -> None:
    link = _outbox(office) / "x.md"
    places = {
        "secret": office.top / "secret.md",
        "dangling": "nowhere",
        "itself": "x.md",
        "directory": "/etc",
        "device": "/dev/zero",
    }
    link.symlink_to(places[target])
    office.settle()
    assert refused(office, "GreenCastle", "x.md", "not-a-file") == 'reason: "not a regular file: symlink"'
    assert (office.desk("GreenCastle") / "rejected" / "x.md").is_symlink()
    assert (office.top / "secret.md").exists()
    _check_secret_kept(office)


def test_f27_a_fifo_is_refused_and_nobody_waits_for_its_writer(office: Post) -> None:
    os.mkfifo(_outbox(office) / "x.md")
    office.settle()
    assert refused(office, "GreenCastle", "x.md", "not-a-file") == 'reason: "not a regular file: FIFO"'


def test_f28_a_hard_link_is_refused(office: Post) -> None:
    os.link(office.top / "secret.md", _outbox(office) / "x.md")
    office.settle()
    assert refused(office, "GreenCastle", "x.md", "hard-link") == "reason: the file has 2 hard links"
    assert SECRET in (office.top / "secret.md").read_text()
    assert all(SECRET.encode() not in office.blob(oid) for oid in set(office.tree().values()))


def _a_directory(path: Path) -> None:
    (path / "below").mkdir(parents=True)
    (path / "below" / "y.md").write_text(SOUND)


def _a_socket(path: Path) -> None:
    here = os.open(path.parent, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(f"/proc/self/fd/{here}/{path.name}")
    os.close(here)


def _a_device(path: Path) -> None:
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("only root makes devices")


@pytest.mark.parametrize(("make", "word"), [(_a_directory, "directory"), (_a_socket, "socket"), (_a_device, "device")])
def test_f29_a_directory_a_socket_and_a_device_are_refused_and_never_entered(office: Post, make: object, word: str) -> None:
    make(_outbox(office) / "x.md")  # type: ignore[operator]
    office.settle()
    assert refused(office, "GreenCastle", "x.md", "not-a-file") == f'reason: "not a regular file: {word}"'


def test_f30_a_file_of_another_owner_is_refused(office: Post) -> None:
    dropped = office.drop_text("GreenCastle", SOUND, name="x.md")
    try:
        os.chown(dropped, 65534, -1)
    except PermissionError:
        pytest.skip("only root gives files away")
    office.settle()
    assert "belongs to somebody else" in refused(office, "GreenCastle", "x.md", "other-owner")


def test_f30_a_file_that_cannot_be_read_is_refused(office: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    office.drop_text("GreenCastle", SOUND, name="x.md").chmod(0)
    if os.geteuid() == 0:  # to whom no mode is closed
        really = os.open

        def opening(path: object, *rest: object, **more: object) -> int:
            if str(path).endswith(".x.md"):
                raise PermissionError(13, "Permission denied")
            return really(path, *rest, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(os, "open", opening)
    office.settle()
    assert refused(office, "GreenCastle", "x.md", "unreadable") == "reason: the file cannot be read"


# --- files that change


def test_f31_a_file_that_becomes_a_symlink_before_it_is_taken_is_not_followed(office: Post) -> None:
    dropped = office.drop_text("GreenCastle", SOUND, name="x.md")

    def swap() -> None:
        dropped.unlink()
        dropped.symlink_to(office.top / "secret.md")

    with before("rename", ".x.md", swap) as seen:
        office.settle()
    assert len(seen) == 1
    refused(office, "GreenCastle", "x.md", "not-a-file")
    _check_secret_kept(office)


@pytest.mark.parametrize("call", ["fstat", "read"])
def test_f31_a_file_that_is_swapped_while_it_is_read_is_the_one_that_was_opened(office: Post, call: str) -> None:
    office.drop_text("GreenCastle", SOUND, name="x.md")

    def swap() -> None:
        (claim,) = (_outbox(office) / ".claimed").iterdir()
        claim.unlink()
        claim.symlink_to(office.top / "secret.md")

    with before(call, ".x.md", swap) as seen:
        office.settle()
    assert len(seen) == 1
    assert _mails(office) in (
        ["deliver: GreenCastle -> RedCat: news"],
        ["refuse: GreenCastle: x.md: the file has 0 hard links (hard-link)"],
    )
    _check_secret_kept(office)
    office.check_nothing_left()
    office.check_exactly_once()
    assert office.waiting("GreenCastle") == [] and office.alarms() == []


def test_f32_a_file_written_in_two_steps_is_taken_whole(office: Post) -> None:
    slow = _outbox(office) / "slow.md"
    with slow.open("w") as file:
        for piece in ("---\nto: Red", "Cat\nsubject: slow\n", "---\nfirst half, "):
            file.write(piece)
            file.flush()
            office.scan(0.1)
            office.scan(0.2)
            assert office.waiting("GreenCastle") == ["slow.md"]
        file.write("second half\n")
    for _ in range(3):
        office.scan(0.6)
    assert office.inbox("RedCat") == ["GreenCastle: slow"]
    assert (office.desk("RedCat") / "inbox" / office.names("RedCat")[0]).read_text().endswith("first half, second half\n")


def test_f32_a_front_matter_that_stays_open_is_refused_after_half_a_minute(office: Post) -> None:
    (_outbox(office) / "open.md").write_text("---\nto: RedCat\nsubject: open\n")
    office.scan(1)
    office.scan(28)
    assert office.waiting("GreenCastle") == ["open.md"]
    office.scan(4)
    assert "front matter not closed with ---" in refused(office, "GreenCastle", "open.md", "front-matter-open")


def test_f33_what_editors_leave_is_nobodys_business(office: Post) -> None:
    litter = [
        ".x.md.swp",
        "x.md~",
        ".#x",
        ".#x.md",
        "4913",
        "x.md.tmp",
        "x.part",
        "x.md.part",
        "#x.md#",
        ".x.md",
        "x.md.swp",
        "x.txt",
    ]
    for name in litter:
        (_outbox(office) / name).write_text(SOUND)
    for _ in range(3):
        office.turn(40)
    assert (_mails(office), office.rejected("GreenCastle")) == ([], {})
    assert sorted(p.name for p in _outbox(office).iterdir() if p.name != ".claimed") == sorted(litter)


@pytest.mark.parametrize("moment", ["rename", "open"])
def test_f34_a_file_that_is_taken_back_in_time_was_never_there(office: Post, moment: str) -> None:
    dropped = office.drop_text("GreenCastle", SOUND, name="x.md")

    def take_back() -> None:
        for path in (dropped, *(_outbox(office) / ".claimed").glob("*")):
            path.unlink(missing_ok=True)

    with before(moment, ".x.md", take_back) as seen:
        office.settle()
    assert len(seen) == 1
    assert (_mails(office), office.rejected("GreenCastle"), office.alarms()) == ([], {}, [])
    office.check_nothing_left()
    office.drop_text("GreenCastle", SOUND)
    office.settle()
    assert office.inbox("RedCat") == ["GreenCastle: news"]


# --- sizes and numbers


def test_f35_a_gigabyte_is_refused_unread(office: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    with (_outbox(office) / ".huge.md").open("wb") as file:
        file.write(SOUND.encode())
        file.truncate(1 << 30)
    (_outbox(office) / ".huge.md").rename(_outbox(office) / "huge.md")
    really, sizes = os.read, []

    def reading(fd: int, size: int) -> bytes:
        sizes.append(size)
        return really(fd, size)

    monkeypatch.setattr(os, "read", reading)
    office.settle()
    assert "1073741824 bytes; limit 262144" in refused(office, "GreenCastle", "huge.md", "too-large")
    assert max(sizes, default=0) < 1 << 20


def test_f36_an_empty_file_may_still_be_written_for_half_a_minute(office: Post) -> None:
    (_outbox(office) / "empty.md").touch()
    office.scan(1)
    office.scan(28)
    assert office.waiting("GreenCastle") == ["empty.md"]
    office.scan(4)
    assert refused(office, "GreenCastle", "empty.md", "empty-file") == "reason: empty file"


def test_f37_who_drops_a_thousand_files_delays_nobody_else(tmp_path: Path) -> None:
    post = Post(tmp_path, Settings(batch_files=16))
    post.agents("GreenCastle", "RedCat", "BlueLake")
    for number in range(300):
        post.drop("GreenCastle", to="RedCat", subject=f"n{number}")
    for number in range(3):
        post.drop("BlueLake", to="RedCat", subject=f"quick {number}")
    post.settle()
    places = [place for place, subject in enumerate(_mails(post)) if "BlueLake" in subject]
    assert len(_mails(post)) == 303 and len(places) == 3
    assert max(places) < 16
    post.stop()


def test_f37_who_drops_many_large_files_delays_nobody_else(tmp_path: Path) -> None:
    post = Post(tmp_path, Settings(batch_files=64, batch_bytes=100_000))
    post.agents("GreenCastle", "RedCat", "BlueLake")
    for number in range(60):
        post.drop("GreenCastle", "x" * 90_000, to="RedCat", subject=f"n{number}")
    for number in range(3):
        post.drop("BlueLake", to="RedCat", subject=f"quick {number}")
    post.settle()
    places = [place for place, subject in enumerate(_mails(post)) if "BlueLake" in subject]
    assert len(_mails(post)) == 63 and len(places) == 3
    assert max(places) < 10
    post.stop()


# --- names

ODD_NAMES = [
    b"-rf.md",
    b"CON.md",
    b"nul.md",
    b"x .md",
    b" x.md",
    b"x..md",
    b"$(touch evil).md",
    b"; rm -rf *.md",
    b"a:b*?.md",
    b"cmd_20260101_00000000.x.md",
    b"x.why.md",
    "Größe \u65e5\u672c.md".encode(),
    b"n" * 252 + b".md",
    "é".encode() * 126 + b".md",
    b"x" + "\u65e5".encode() * 83 + b".md",
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_f38_an_odd_name_is_a_name_and_becomes_no_path_of_the_mailbox(office: Post, name: bytes) -> None:
    before_it = set(os.listdir(office.top))
    (_outbox(office) / ".draft").write_text(SOUND)
    os.rename(_outbox(office) / ".draft", os.path.join(os.fsencode(_outbox(office)), name))
    office.settle()
    assert office.rejected("GreenCastle") == {}
    assert office.inbox("RedCat") == ["GreenCastle: news"]
    assert len(office.sent("GreenCastle")) == 2
    assert [
        path
        for path in office.tree()
        if not path.replace("/", "").replace(".", "").replace("_", "").replace("-", "").isalnum()
    ] == []
    assert set(os.listdir(office.top)) == before_it
    office.check_nothing_left()
    office.check_mirrors()
    office.fsck()


@pytest.mark.parametrize("name", [b"a\nb.md", b"\xff\xfe.md", b"tab\there.md", b"esc\x1b[2J.md", "bidi\u202e.md".encode()])
def test_f38_a_name_that_cannot_be_shown_is_refused_and_shown_with_question_marks(office: Post, name: bytes) -> None:
    (_outbox(office) / ".draft").write_text(SOUND)
    os.rename(_outbox(office) / ".draft", os.path.join(os.fsencode(_outbox(office)), name))
    office.settle()
    refused(office, "GreenCastle", os.fsdecode(name), "bad-file-name")
    note = office.desk("GreenCastle") / "inbox" / office.names("GreenCastle")[0]
    for text in (note.read_bytes(), os.fsencode("".join(_mails(office)))):
        assert name not in text and b"\x1b" not in text and b"\xff" not in text
    office.check_mirrors()


def test_f38_a_name_of_256_bytes_cannot_be_made_at_all(office: Post) -> None:
    with pytest.raises(OSError, match="too long"):
        (_outbox(office) / ("n" * 253 + ".md")).write_text(SOUND)
    office.settle()
    assert _mails(office) == []
