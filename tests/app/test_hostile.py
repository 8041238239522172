"""Whoever can write somewhere writes the worst: into the mailbox, into `state/`, into a desk. Nobody else notices."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from gitmaild.model.drop import Hint, How
from gitmaild.model.layout import parse_file_name
from tests.fuse import Fuse
from tests.post import Post

NAME = "20260101T000000.500000Z_normal_BlueLake_by-hand_0badcafe.md"
COPY = f"shop/agents/RedCat/inbox/2026/01/01/00/{NAME}"
CANONICAL = "shop/messages/2026/01/01/00/msg_20260101_0badcafe.md"


def a_file(**over: str) -> str:
    fields = {
        "id": "msg_20260101_0badcafe",
        "thread_id": "br-7",
        "from": "BlueLake",
        "to": "[RedCat]",
        "created": "2026-01-01T00:00:00.500000Z",
        "importance": "normal",
        "ack_required": "false",
        "subject": "by hand",
    }
    lines = "".join(f"{key}: {value}\n" for key, value in (fields | over).items())
    return f"---\n{lines}---\nWritten with plain git.\n"


# --- commits


def test_a_foreign_commit_that_lands_between_plan_and_commit_is_followed_first(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    post.agents("GreenCastle", "RedCat")
    repo = type(post.start().daemon.intake._repo)
    land, calls = repo.land, []

    def landing(self: object, *arguments: object) -> None:
        if not calls:
            calls.append(post.foreign({COPY: a_file(), CANONICAL: a_file()}))
        land(self, *arguments)

    monkeypatch.setattr(repo, "land", landing)
    post.drop("GreenCastle", to="RedCat", subject="and mine")
    post.settle()
    assert post.inbox("RedCat") == ["BlueLake: by hand", "GreenCastle: and mine"]
    assert post.log()[-2:] == ["by hand", "deliver: GreenCastle -> RedCat: and mine"]
    post.check_exactly_once()


def test_foreign_mail_is_filed_like_any_other(post: Post) -> None:
    post.agents("GreenCastle", "RedCat")
    post.foreign({COPY: a_file(), CANONICAL: a_file()})
    post.settle()
    post.file("RedCat", NAME, "acked")
    post.settle()
    assert post.inbox("RedCat", "acked") == ["BlueLake: by hand"]
    post.check_mirrors()
    post.fsck()


@pytest.mark.parametrize("date", ["@0 +0000", "@1000000000 +0000", "@4102444800 +0000", "@253402300799 +0000"])
def test_the_date_of_a_foreign_commit_moves_nothing(post: Post, date: str) -> None:
    post.agents("GreenCastle", "RedCat")
    post.drop("GreenCastle", to="RedCat", subject="before")
    post.settle()
    post.foreign({"shop/notes.txt": "hello"}, date=date)
    post.crash()
    post.drop("GreenCastle", to="RedCat", subject="after")
    post.settle()
    assert post.inbox("RedCat") == ["GreenCastle: before", "GreenCastle: after"]
    assert [parse_file_name(name).at[:8] for name in post.names("RedCat")] == ["20260101"] * 2  # type: ignore[union-attr]
    assert post.alarms() == []


def test_a_claim_that_the_mailbox_has_is_found_below_a_foreign_commit_of_another_age(post: Post) -> None:
    post.agents("GreenCastle", "RedCat")
    post.drop("GreenCastle", name="once.md", to="RedCat", subject="once")
    post.settle()
    command = post.commits()[-1][1]["Command"].split(" ")[1]
    post.foreign({"shop/notes.txt": "hello"}, date="@0 +0000")
    post.crash()
    # As a daemon leaves it that is killed before it lets go.
    claimed = post.desk("GreenCastle") / "outbox" / ".claimed" / f"{command}.once.md"
    claimed.write_text("---\nto: RedCat\nsubject: once\n---\nhello\n")
    post.settle()
    assert post.inbox("RedCat") == ["GreenCastle: once"]
    post.check_exactly_once()
    post.check_nothing_left()


TRAP = (
    "trap\n\nCommand: message cmd_20260101_{hex}\nProject: shop\nFrom: GreenCastle\nDrop: {drop}\n"
    "Message-Id: {id}\nAccepted: {at}\n"
)
SOUND = {"hex": "0badcafe", "drop": "trap", "id": "msg_20260101_0badcafe", "at": "2026-01-01T00:00:00.000001Z"}


@pytest.mark.parametrize(
    "over",
    [
        {"drop": "../../../../../evil"},
        {"drop": "/elsewhere/evil"},
        {"drop": ".evil"},
        {"drop": "evil/../../x"},
        {"drop": "e" * 300},
        {"hex": "../../.."},
        {"at": "never"},
        {"at": "9999-12-31T23:59:59.999999Z\nX: y"},
        {"id": "msg_99999999_99999999"},
        {"id": "../../evil"},
    ],
)
def test_no_trailer_of_a_foreign_commit_becomes_a_path(post: Post, over: dict[str, str]) -> None:
    post.agents("GreenCastle", "RedCat")
    post.foreign({CANONICAL: a_file(**{"from": "GreenCastle"})}, TRAP.format(**SOUND | over))
    _goes_on(post)
    post.check_mirrors()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (CANONICAL, a_file(thread_id="../../../../evil")),
        (CANONICAL, a_file(thread_id="/elsewhere/evil")),
        (CANONICAL, a_file(thread_id=".")),
        (CANONICAL, a_file(thread_id="a" * 300)),
        (CANONICAL, a_file(created="yesterday")),
        (CANONICAL, a_file(**{"from": "../../evil", "to": "[../evil, /tmp]"})),
        (CANONICAL, a_file(id="../../evil")),
        (CANONICAL, "\xff\0"),
        ("shop/messages/2026/99/99/99/msg_20269999_00000006.md", a_file(id="msg_20269999_00000006")),
        (f"{'p' * 300}/messages/2026/01/01/00/msg_20260101_00000007.md", a_file()),
        ("shop/agents/RedCat/inbox/2026/01/01/00/..evil.md", "x"),
        (COPY.replace("20260101T000000", "20269999T999999"), a_file()),
        (COPY.replace("2026/01/01/00", "9999/01/01/00"), a_file()),
        (COPY, "not a message"),
        (COPY, b"\xff\xfe\0"),
        ("shop/agents/RedCat/inbox/2026/01/x", "no directory"),
        ("shop/agents/RedCat/inbox/notes", "no year"),
        ("shop/messages/notes/x/y/z", "no year"),
        ("shop/agents/RedCat/profile.yaml", b"\xff"),
        ("shop/agents/Overseer/profile.yaml", "- : ["),
        ("shop/project.yaml", ""),
        ("FORMAT", "999\n"),
        ("notes", "a file where projects are"),
        ("a\nb/c", "x"),
    ],
)
def test_nothing_that_a_foreign_commit_holds_stops_the_mail_or_leaves_the_desks(
    post: Post, path: str, text: str | bytes
) -> None:
    post.agents("GreenCastle", "RedCat")
    post.foreign({path: text})
    _goes_on(post)
    post.check_mirrors()


def _goes_on(post: Post) -> None:
    """Mail flows before and after a kill, and nothing has appeared where nothing belongs."""
    for subject in ("first", "second"):
        post.drop("GreenCastle", to="RedCat", subject=subject)
        post.settle()
        assert post.inbox("RedCat")[-1] == f"GreenCastle: {subject}"
        post.crash()
    post.turn(5)
    assert post.alarms() == []
    places = [p for p in post.top.rglob("*") if post.home.mailbox not in p.parents]
    assert [p for p in places if "evil" in p.name or len(p.name) > 200] == []
    assert sorted(p.name for p in post.top.iterdir()) == ["foreign-index", "home", "shop", "you-forgot-to-choose-a-home"]


def test_a_commit_in_another_encoding_breaks_nothing(post: Post) -> None:
    post.agents("GreenCastle", "RedCat")
    post.foreign({COPY: a_file(), CANONICAL: a_file()}, "caf\xe9 \x80\n")
    post.git("config", "i18n.commitEncoding", "latin1")
    post.foreign({"x": "y"}, "caf\xe9 again\n")
    _goes_on(post)


# --- the ref


@pytest.mark.parametrize("broken", [None, "", "not a ref\n", "ref: refs/heads/else\n"])
def test_a_ref_that_breaks_under_a_running_daemon_is_put_back(post: Post, broken: str | None) -> None:
    post.agents("GreenCastle", "RedCat")
    tip = post.git("rev-parse", "main").strip()
    ref = post.home.mailbox / "refs/heads/main"
    ref.unlink()
    if broken is not None:
        ref.write_text(broken)
    post.drop("GreenCastle", to="RedCat", subject="after")
    post.settle(400)
    assert "restored-tip" in post.alarms()
    assert post.git("rev-parse", "main~1").strip() == tip
    assert post.inbox("RedCat") == ["GreenCastle: after"]


def test_a_ref_to_a_commit_that_nobody_has_waits_for_a_person(post: Post) -> None:
    post.agents("GreenCastle", "RedCat")
    tip = post.git("rev-parse", "main").strip()
    (post.home.mailbox / "refs/heads/main").write_text("1" * 40)
    post.drop("GreenCastle", to="RedCat", subject="after")
    for _ in range(3):
        assert post.turn(60) == 0
    assert post.alarms() != []
    (post.home.mailbox / "refs/heads/main").write_text(tip)
    post.settle(400)
    assert post.inbox("RedCat") == ["GreenCastle: after"]
    assert post.alarms() == []


def test_a_rebuild_that_accepts_another_history_takes_the_answers_of_the_old_one_away(post: Post) -> None:
    post.agents("GreenCastle", "RedCat")
    post.drop("GreenCastle", name="lost.md", to="RedCat", subject="first", thread_id="br-1")
    post.settle()
    post.git("update-ref", "refs/heads/main", "main~1")
    post.foreign({"shop/other.txt": "another past"})
    post.drop("GreenCastle", name="kept.md", to="RedCat", subject="second")
    for _ in range(12):
        assert post.turn(60) == 0
    (post.home.state / "rebuild").touch()
    post.settle()
    assert post.alarms() == []
    assert post.inbox("RedCat") == ["GreenCastle: second"]
    assert sorted(post.sent("GreenCastle")) == ["join", "kept"]
    assert not (post.worktree / ".gitmaild/threads/br-1.md").exists()
    post.check_exactly_once()
    post.check_mirrors()


def test_a_rebuild_that_a_full_disk_interrupts_is_taken_up_again(post: Post) -> None:
    post.agents("GreenCastle", "RedCat")
    for number in range(3):
        post.drop("GreenCastle", to="RedCat", subject=f"n{number}", thread_id="br-1")
        post.settle()
    for at in range(30):
        (post.home.state / "rebuild").touch()
        with Fuse(at, errno.ENOSPC).in_place():
            post.turn(60)
        post.settle(400)
        assert post.alarms() == []
        post.drop("GreenCastle", to="RedCat", subject=f"at {at}", thread_id="br-1")
        post.settle()
        page = (post.worktree / ".gitmaild/threads/br-1.md").read_text()
        assert page.startswith(f"thread br-1: {4 + at} messages")
    post.check_mirrors()


# --- state, registry


@pytest.mark.parametrize("junk", [b"", b"\xff\xfe\0", b"zzz\n", b"0" * 40 + b"\n", b"[]", b'{"a": '])
def test_state_is_derived_and_may_hold_anything(post: Post, junk: bytes) -> None:
    post.agents("GreenCastle", "RedCat")
    post.drop("GreenCastle", to="RedCat", subject="before", thread_id="br-1")
    post.settle()
    shown = post.snapshot()
    post.stop()
    for path in post.home.state.rglob("*"):
        if path.is_file() and path.name != "tip":
            path.write_bytes(junk)
    for checkpoint in post.top.rglob(".checkpoint"):
        checkpoint.unlink()
        checkpoint.write_bytes(junk)
    post.turn()
    assert post.snapshot() == shown
    assert post.alarms() == []


def test_a_checkpoint_that_names_no_commit_is_no_checkpoint(post: Post) -> None:
    post.agents("GreenCastle", "RedCat")
    post.drop("GreenCastle", to="RedCat", subject="before", thread_id="br-1")
    post.settle()
    shown = post.snapshot()
    post.stop()
    blob = next(iter(post.tree().values()))
    for checkpoint in post.top.rglob(".checkpoint"):
        boot = checkpoint.read_text().partition(" ")[2]
        checkpoint.unlink()
        checkpoint.write_text(f"{blob} {boot}".strip() + "\n")
    post.turn()
    assert post.snapshot() == shown
    assert post.alarms() == []


def test_a_registry_that_cannot_be_read_is_an_alarm_and_the_mail_goes_on_once_it_can(post: Post) -> None:
    post.agents("GreenCastle", "RedCat")
    sound = post.home.roots.read_bytes()
    post.home.roots.write_bytes(b"\xff: [\n")
    post.clock.advance(5)
    post.start().daemon.turn([])
    assert post.alarms() == ["roots"]
    post.home.roots.write_bytes(sound)
    post.drop("GreenCastle", to="RedCat", subject="after")
    post.settle(400)
    assert post.inbox("RedCat") == ["GreenCastle: after"]
    assert post.alarms() == []


def test_a_status_file_that_cannot_be_written_delays_no_mail(post: Post) -> None:
    post.agents("GreenCastle", "RedCat")
    (post.home.state / "status.json").unlink()
    (post.home.state / "status.json").mkdir()
    for number in range(4):
        post.drop("GreenCastle", to="RedCat", subject=f"n{number}")
        post.turn(5)
    assert len(post.names("RedCat")) == 4
    assert post.alarms() == ["status"]


# --- desks


def _two_roots(post: Post) -> Path:
    """RedCat and GreenCastle write from the first worktree, BlueLake from a second one."""
    other = post.add_worktree("shop-two")
    post.drop("BlueLake", name="join.md", kind="register", worktree=other)
    post.agents("GreenCastle", "RedCat")
    return other


def _a_dangling_outbox(desk: Path) -> None:
    shutil.rmtree(desk / "outbox")
    (desk / "outbox").symlink_to("nowhere")


def _an_outbox_elsewhere(desk: Path) -> None:
    shutil.rmtree(desk / "outbox")
    (desk / "outbox").symlink_to(desk.parent / "RedCat" / "outbox")


def _an_inbox_elsewhere(desk: Path) -> None:
    shutil.rmtree(desk / "inbox")
    (desk / "inbox").symlink_to(desk.parent.parent.parent.parent / "home")


def _a_desk_elsewhere(desk: Path) -> None:
    shutil.rmtree(desk)
    desk.symlink_to(desk.parent / "RedCat")


def _claims_elsewhere(desk: Path) -> None:
    shutil.rmtree(desk / "outbox" / ".claimed")
    elsewhere = desk.parents[3] / "elsewhere"
    elsewhere.mkdir()
    (desk / "outbox" / ".claimed").symlink_to(elsewhere)


def _an_outbox_that_is_a_file(desk: Path) -> None:
    shutil.rmtree(desk / "outbox")
    (desk / "outbox").write_text("x")


@pytest.mark.parametrize(
    "turn_bad",
    [
        _a_dangling_outbox,
        _an_outbox_elsewhere,
        _an_inbox_elsewhere,
        _a_desk_elsewhere,
        _claims_elsewhere,
        _an_outbox_that_is_a_file,
    ],
)
def test_a_desk_component_that_must_not_be_followed_stops_its_root_alone(post: Post, turn_bad: object) -> None:
    other = _two_roots(post)
    before = sorted(p for p in post.home.path.iterdir())
    turn_bad(post.desk("GreenCastle"))  # type: ignore[operator]
    post.drop("RedCat", to="GreenCastle", subject="into the trap")
    for number in range(3):
        post.drop("BlueLake", to="BlueLake", subject=f"n{number}", worktree=other)
        if not (post.desk("GreenCastle") / "outbox").is_symlink() and (post.desk("GreenCastle") / "outbox").is_dir():
            post.drop("GreenCastle", to="BlueLake", subject=f"trapped {number}")
        post.turn(60)
        post.turn(60)
    assert "root" in post.alarms()
    assert [n for n in post.names("BlueLake", worktree=other) if "_BlueLake_n" in n] != []
    assert len([n for n in post.names("BlueLake", worktree=other) if "_BlueLake_n" in n]) == 3
    assert sorted(p for p in post.home.path.iterdir()) == before
    assert list(post.top.glob("elsewhere/*")) == []


def test_a_hint_from_a_forged_overseers_outbox_speaks_for_nobody(post: Post) -> None:
    post.agents("GreenCastle", "RedCat")
    dropped = post.drop("Overseer", to="RedCat", subject="obey")
    post.start().daemon.turn([Hint(str(dropped.parent), dropped.name, How.RENAMED)])
    for _ in range(3):
        post.turn()
        post.start().daemon.turn([Hint(str(dropped.parent), dropped.name, How.RENAMED)])
    assert post.inbox("RedCat") == []
    assert dropped.exists()
    assert "forged" in post.alarms()


def test_a_forged_overseers_desk_gets_none_of_the_overseers_mail(post: Post) -> None:
    post.agents("GreenCastle", "RedCat")
    (post.desk("Overseer") / "outbox").mkdir(parents=True)
    overseer = post.home.post / "shop/agents/Overseer/outbox"
    (overseer / "join.md").write_text("---\nkind: register\ntask_description: watching\n---\n")
    post.settle(60)
    post.drop("GreenCastle", to="Overseer", subject="for your eyes")
    post.settle()
    assert sorted(os.listdir(post.desk("Overseer"))) == ["outbox"]
    assert len(os.listdir(post.home.post / "shop/agents/Overseer/inbox")) == 1


@pytest.mark.parametrize(
    "name",
    ["cmd_99999999_00000000.x.md", "cmd_00000000_00000000.x.md", "cmd_20260101_00000000.x.md", "notes.md", "cmd_x.y.md"],
)
def test_a_file_that_somebody_puts_among_the_claims_harms_nobody(post: Post, name: str) -> None:
    post.agents("GreenCastle", "RedCat")
    post.drop("GreenCastle", to="RedCat", subject="before")
    post.settle()
    post.crash()
    (post.desk("GreenCastle") / "outbox" / ".claimed" / name).write_text("---\nto: RedCat\nsubject: planted\n---\n")
    post.drop("GreenCastle", to="RedCat", subject="after")
    post.settle()
    subjects = {line.removeprefix("GreenCastle: ") for line in post.inbox("RedCat")}
    assert {"before", "after"} <= subjects <= {"before", "after", "planted"}
    assert post.alarms() == []
    post.check_exactly_once()
    post.crash()
    post.settle()
    post.check_mirrors()


def test_a_refused_file_is_never_overwritten_by_the_reason_of_another(post: Post) -> None:
    post.agents("GreenCastle")
    post.drop_text("GreenCastle", "first", name="x.md.why.md")
    post.settle()
    post.drop_text("GreenCastle", "second", name="x.md")
    post.settle()
    kept = [path.read_text() for path in (post.desk("GreenCastle") / "rejected").iterdir()]
    assert {"first", "second"} <= set(kept)
    assert len(kept) == 4


@pytest.mark.parametrize("make", [Path.mkdir, lambda p: p.symlink_to("/etc/passwd"), os.mkfifo, lambda p: p.symlink_to("x")])
def test_a_message_that_was_replaced_by_something_else_is_put_right(post: Post, make: object) -> None:
    post.agents("GreenCastle", "RedCat")
    post.drop("GreenCastle", to="RedCat", subject="before")
    post.settle()
    path = post.desk("RedCat") / "inbox" / post.names("RedCat")[0]
    whole = path.read_bytes()
    path.unlink()
    make(path)  # type: ignore[operator]
    post.settle(100)
    post.start().daemon.filing.audit(post.start().daemon.intake.seen, force=True)
    assert path.is_file() and not path.is_symlink()
    assert path.read_bytes() == whole
    assert post.alarms() == []


def test_a_desk_that_is_removed_and_made_again_at_once_is_filled_again(post: Post) -> None:
    post.agents("GreenCastle", "RedCat")
    post.drop("GreenCastle", to="RedCat", subject="one")
    post.drop("RedCat", to="GreenCastle", subject="two", name="two.md")
    post.settle()
    shutil.rmtree(post.desk("RedCat"))
    (post.desk("RedCat") / "outbox").mkdir(parents=True)
    post.settle()
    assert post.inbox("RedCat") == ["GreenCastle: one"]
    assert sorted(post.sent("RedCat")) == ["join", "two"]
    post.check_mirrors()


def test_a_desk_that_is_removed_does_not_come_back_by_halves(post: Post) -> None:
    post.agents("GreenCastle", "RedCat")
    post.drop("RedCat", to="GreenCastle", subject="two", name="two.md")
    post.settle()
    shutil.rmtree(post.desk("RedCat"))
    dropped = post.drop("GreenCastle", to="RedCat", subject="one")
    # Before a scan has seen that the desk is gone.
    post.start().daemon.turn([Hint(str(dropped.parent), dropped.name, How.RENAMED)])
    post.settle()
    if post.desk("RedCat").exists():
        assert sorted(post.sent("RedCat")) == ["join", "two"]
    post.check_mirrors()
