"""Rows 54 to 62: the mailbox is damaged, moved, rewritten, tidied away, or wanted by two."""

import gc
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gitmaild.edges import home as home_module
from gitmaild.edges.home import Home, NetworkFileSystem
from gitmaild.edges.lock import Locked
from gitmaild.model.errors import MailError
from gitmaild.model.settings import Settings
from gitmaild.wiring.office import open_office
from tests.fakes import StillWatcher
from tests.faults.moments import before
from tests.post import Post

COPY = "shop/agents/RedCat/inbox/2026/01/01/00/20260101T000000.500000Z_normal_BlueLake_by-hand_0badcafe.md"
CANONICAL = "shop/messages/2026/01/01/00/msg_20260101_0badcafe.md"
BY_HAND = (
    "---\nid: msg_20260101_0badcafe\nthread_id: br-7\nfrom: BlueLake\nto: [RedCat]\n"
    "created: 2026-01-01T00:00:00.500000Z\nimportance: normal\nack_required: false\nsubject: by hand\n---\nhello\n"
)


@pytest.fixture
def office(post: Post) -> Post:
    """GreenCastle has written to RedCat once."""
    post.agents("GreenCastle", "RedCat")
    post.drop("GreenCastle", name="one.md", to="RedCat", subject="one")
    post.settle()
    return post


def _loose(post: Post, oid: str) -> Path:
    path = post.home.mailbox / "objects" / oid[:2] / oid[2:]
    path.chmod(0o644)
    return path


def _goes_on(post: Post, *subjects: str) -> None:
    """What waits is delivered, once and with the rest."""
    post.settle(400)
    post.turn(60)
    assert post.inbox("RedCat") == [f"GreenCastle: {subject}" for subject in subjects]
    post.check_exactly_once()
    post.check_nothing_left()


@pytest.mark.parametrize(
    "harm", [lambda p: os.truncate(p, 0), lambda p: p.write_bytes(b"no object")], ids=["empty", "garbage"]
)
def test_f54_a_damaged_message_hinders_no_other_mail(office: Post, harm: Callable[[Path], None]) -> None:
    office.foreign({COPY: BY_HAND, CANONICAL: BY_HAND})
    office.settle()
    harm(_loose(office, office.tree()[CANONICAL]))
    office.crash()
    office.drop("GreenCastle", name="two.md", to="RedCat", subject="two")
    office.settle()
    assert sorted(office.inbox("RedCat")) == ["BlueLake: by hand", "GreenCastle: one", "GreenCastle: two"]
    office.check_exactly_once()


def test_f54_a_rebuild_that_needs_a_damaged_message_says_which_object_and_takes_nothing_away(office: Post) -> None:
    office.foreign({COPY: BY_HAND, CANONICAL: BY_HAND})
    office.settle()
    oid, shown = office.tree()[CANONICAL], office.inbox("RedCat")
    _loose(office, oid).write_bytes(b"no object")
    office.crash()
    (office.home.state / "rebuild").touch()
    office.drop("GreenCastle", name="two.md", to="RedCat", subject="two")
    for _ in range(3):
        office.turn(400)
    assert any(oid in text and "cannot be read" in text for text in office.alarm_texts())
    assert office.inbox("RedCat")[: len(shown)] == shown
    claims = list((office.desk("GreenCastle") / "outbox" / ".claimed").glob("*"))
    assert "GreenCastle: two" in office.inbox("RedCat") or office.waiting("GreenCastle") or claims


def test_f54_an_empty_object_is_written_again_by_whoever_says_the_same(office: Post) -> None:
    office.foreign({COPY: BY_HAND, CANONICAL: BY_HAND})
    office.settle()
    oid = office.tree()[CANONICAL]
    os.truncate(_loose(office, oid), 0)
    office.crash()
    office.turn()
    office.stop()
    command = ["git", f"--git-dir={office.home.mailbox}", "hash-object", "-w", "--stdin"]
    assert subprocess.run(command, input=BY_HAND.encode(), capture_output=True, check=True).stdout.decode().strip() == oid
    assert office.blob(oid) == BY_HAND.encode()
    office.fsck()


@pytest.mark.parametrize("broken", [b"", b"\0" * 41, b"garbage\n"])
def test_f55_a_broken_ref_is_put_back_and_said_and_no_new_mailbox_begins(office: Post, broken: bytes) -> None:
    tip = office.git("rev-parse", "main").strip()
    office.crash()
    (office.home.mailbox / "refs/heads/main").write_bytes(broken)
    office.drop("GreenCastle", to="RedCat", subject="two")
    _goes_on(office, "one", "two")
    assert office.git("rev-parse", "main~1").strip() == tip
    assert any(f"put back to {tip[:12]}" in text for text in office.alarm_texts())
    office.fsck()


def test_f55_a_ref_that_falls_back_to_an_older_packed_one_loses_nothing_silently(office: Post) -> None:
    office.git("pack-refs", "--all")
    office.drop("GreenCastle", to="RedCat", subject="two")
    office.settle()
    tip = office.git("rev-parse", "main").strip()
    office.crash()
    (office.home.mailbox / "refs/heads/main").unlink()
    office.drop("GreenCastle", name="three.md", to="RedCat", subject="three")
    office.turn()
    assert office.inbox("RedCat") == ["GreenCastle: one", "GreenCastle: two"]
    assert any("history rewritten" in text and tip[:12] in text for text in office.alarm_texts())
    office.git("update-ref", "refs/heads/main", tip)
    _goes_on(office, "one", "two", "three")
    office.fsck()


def _packs(post: Post, ending: str) -> list[Path]:
    return sorted(post.home.mailbox.glob(f"objects/pack/*.{ending}"))


def _harm_all(ending: str, damage: Callable[[bytes], bytes]) -> Callable[[Post], None]:
    def harm(post: Post) -> None:
        for path in _packs(post, ending):
            data = path.read_bytes()
            path.unlink()  # not in place: whoever has it mapped keeps what it was
            path.write_bytes(damage(data))

    return harm


def _harm_config(post: Post) -> None:
    (post.home.mailbox / "config").write_bytes(b"[core\nbare = perhaps\n")


DAMAGE = {
    "pack-flipped": _harm_all("pack", lambda data: data[:12] + bytes(b ^ 0xFF for b in data[12:])),
    "pack-cut": _harm_all("pack", lambda data: data[:20]),
    "index-flipped": _harm_all("idx", lambda data: bytes(b ^ 0xFF for b in data)),
    "index-empty": _harm_all("idx", lambda data: b""),
    "config": _harm_config,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_f56_a_damaged_repository_takes_no_mail_and_says_why_until_it_is_mended(office: Post, damage: str) -> None:
    office.stop()
    gc.collect()
    sound = office.top / "sound.git"
    shutil.copytree(office.home.mailbox, sound)
    DAMAGE[damage](office)
    broken = {p.name: p.read_bytes() for p in _packs(office, "pack")}
    dropped = office.drop("GreenCastle", name="two.md", to="RedCat", subject="two")
    try:
        office.turn(60)
        told = office.alarm_texts()
        office.turn(60)
    except MailError as error:
        told = [str(error)]
    assert any("cannot be" in text for text in told)
    claims = list((office.desk("GreenCastle") / "outbox" / ".claimed").glob("*"))
    assert dropped.exists() or len(claims) == 1
    assert {p.name: p.read_bytes() for p in _packs(office, "pack")} == broken
    office.crash()
    gc.collect()  # libgit2 shares open packs by their path, within a process
    shutil.rmtree(office.home.mailbox)
    sound.rename(office.home.mailbox)
    _goes_on(office, "one", "two")
    office.fsck()


def test_f58_an_inbox_that_was_deleted_comes_back_and_what_was_edited_is_kept_beside(office: Post) -> None:
    office.drop("GreenCastle", to="RedCat", subject="two")
    office.settle()
    inbox = office.desk("RedCat") / "inbox"
    whole = {path.name: path.read_bytes() for path in inbox.iterdir()}
    shutil.rmtree(inbox)
    office.scan(120)
    office.scan(120)
    assert {path.name: path.read_bytes() for path in inbox.iterdir()} == whole
    edited = inbox / min(whole)
    edited.chmod(0o644)
    edited.write_text("no such words\n")
    office.scan(120)
    assert edited.read_bytes() == whole[edited.name]
    assert edited.with_name(f"{edited.name}.orig").read_text() == "no such words\n"
    assert office.alarms() == []
    office.check_exactly_once()


@pytest.mark.parametrize("moment", ["main.lock", ".idx", ".pack"])
def test_f59_a_gc_that_prunes_everything_in_the_middle_of_a_commit_takes_nothing(office: Post, moment: str) -> None:
    office.drop("GreenCastle", to="RedCat", subject="two")
    ran: list[int] = []

    def tidy() -> None:
        command = ["git", f"--git-dir={office.home.mailbox}", "gc", "--quiet", "--prune=now"]
        ran.append(subprocess.run(command, capture_output=True, check=False).returncode)

    with before("rename", moment, tidy) as seen:
        office.settle()
    assert len(seen) == len(ran) == 1
    _goes_on(office, "one", "two")
    office.fsck()
    office.check_mirrors()


def test_f60_a_forced_push_is_refused_and_one_that_follows_is_shown(office: Post) -> None:
    clone = office.top / "clone"
    subprocess.run(["git", "clone", "-q", str(office.home.mailbox), str(clone)], check=True)

    def git(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["git", "-C", str(clone), *arguments], capture_output=True, text=True, check=False)

    tip = office.git("rev-parse", "main").strip()
    git("commit", "-q", "--amend", "-m", "I never said that")
    pushed = git("push", "-f", "origin", "HEAD:main")
    assert pushed.returncode != 0 and "non-fast-forward" in pushed.stderr
    assert git("push", "origin", ":main").returncode != 0
    assert office.git("rev-parse", "main").strip() == tip
    git("reset", "-q", "--hard", "origin/main")
    (clone / "shop" / "notes.txt").write_text("hello\n")
    git("add", "-A")
    git("commit", "-q", "-m", "notes")
    assert git("push", "origin", "HEAD:main").returncode == 0
    office.drop("GreenCastle", to="RedCat", subject="two")
    _goes_on(office, "one", "two")
    assert office.log()[-2:] == ["notes", "deliver: GreenCastle -> RedCat: two"]
    assert office.alarms() == []
    office.fsck()


def test_f60_a_branch_that_was_moved_aside_stops_the_mail_and_both_heads_are_named(office: Post) -> None:
    tip = office.git("rev-parse", "main").strip()
    aside = office.git("commit-tree", "main^{tree}", "-m", "another past").strip()
    office.git("update-ref", "refs/heads/main", aside, tip)
    office.drop("GreenCastle", to="RedCat", subject="two")
    for _ in range(3):
        office.turn(400)
        assert office.alarms() == ["history-rewritten"]
        (text,) = office.alarm_texts()
        assert tip[:12] in text and aside[:12] in text
    assert office.git("rev-parse", "main").strip() == aside
    office.git("update-ref", "refs/heads/main", tip, aside)
    _goes_on(office, "one", "two")
    assert office.alarms() == []


def test_f61_a_second_daemon_names_the_first_and_touches_nothing(office: Post) -> None:
    office.drop("GreenCastle", name="two.md", to="RedCat", subject="two")
    with pytest.raises(Locked, match=rf"another gitmaild \(pid {os.getpid()}, host .*\) holds .*/state/lock"):
        open_office(office.home, {}, watcher=StillWatcher())
    assert office.waiting("GreenCastle") == ["two.md"]
    _goes_on(office, "one", "two")


@pytest.mark.slow
def test_f61_a_second_process_exits_75_and_a_killed_first_one_frees_the_lock(office: Post) -> None:
    office.stop()
    serve = [sys.executable, "-m", "gitmaild", "--home", str(office.home.path), "serve", "--no-http"]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as first:
        assert first.stdout is not None and "is serving" in first.stdout.readline()
        second = subprocess.run([*serve, "--once"], capture_output=True, text=True, check=False)
        first.kill()
    assert second.returncode == 75
    assert f"another gitmaild (pid {first.pid}, host " in second.stderr
    office.start()
    _goes_on(office, "one")


def test_f62_a_home_that_was_moved_goes_on_where_it_is(office: Post) -> None:
    office.stop()
    office.home.path.rename(office.top / "moved")
    office.home = Home(office.top / "moved")
    office.drop("GreenCastle", to="RedCat", subject="two")
    _goes_on(office, "one", "two")
    assert office.alarms() == []
    assert not (office.top / "home").exists()
    office.check_mirrors()


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs", "9p"])
def test_f62_a_home_on_a_network_is_refused_unless_it_is_allowed(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(home_module, "_mounts", lambda: f"x / ext4 rw 0 0\nhost:/x {tmp_path} {kind} rw 0 0\n")
    post = Post(tmp_path)
    with pytest.raises(NetworkFileSystem, match=rf"is on {kind}.*allow_network_fs"):
        post.start()
    assert not post.home.mailbox.exists()
    post.limits = Settings(allow_network_fs=True)
    post.agents("GreenCastle")
    assert post.names("GreenCastle", "sent") or post.sent("GreenCastle")
    post.stop()


@pytest.mark.parametrize("name", ["Greencastle", "GREENCASTLE", "greenCastle", "Gr\u00e9enCastle"])
def test_f62_names_that_a_disk_may_take_for_one_are_refused(office: Post, name: str) -> None:
    office.drop(name, name="join.md", kind="register")
    for _ in range(3):
        office.turn()
    assert office.rejected(name)["join.md"] in ("name-taken", "bad-name")
    assert {path.split("/")[2] for path in office.tree() if path.startswith("shop/agents/")} <= {
        "GreenCastle",
        "RedCat",
        "Overseer",
    }
