"""Leases in the mailbox, in every root, in the home's view: through restarts, crashes, foreign commits and odd clocks."""

import errno
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitmaild.model import leaseview
from gitmaild.model.ids import parse_stamp, stamp
from gitmaild.model.lease import Lease, Thing
from gitmaild.rules.holdings import parse_lease, render_lease
from tests.fuse import Blown, Fuse
from tests.post import Post

DAY = 86_400.0
START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def office(post: Post) -> Post:
    post.agents("GreenCastle", "RedCat", "BlueLake")
    return post


def _ask(post: Post, agent: str, kind: str = "reserve", **fields: str) -> dict[str, Any]:
    """Drop a command; the answer."""
    name = f"q{post.entropy.count}"
    post.drop(agent, name=f"{name}.md", kind=kind, **fields)
    post.turn()
    assert name in post.sent(agent), post.rejected(agent)
    said: dict[str, Any] = yaml.safe_load(post.sent(agent)[name].split("---\n")[1])
    return said


def _root(worktree: Path) -> Path:
    return worktree / ".gitmaild" / "leases"


def _shown(directory: Path) -> list[str]:
    """`Holder: thing` of the lease files in a root."""
    found = [parse_lease(path.stem, path.read_bytes()) for path in directory.glob("lease_*.yaml")]
    return sorted(f"{lease.holder}: {lease.thing}" for lease in found if lease)


def _view(path: Path) -> list[str]:
    """The same of a view."""
    return sorted(f"{row.holder}: {row.pattern}" for row in leaseview.parse(path.read_bytes()).rows)


def _held(post: Post) -> list[str]:
    """What the tree has, once that stands everywhere else."""
    tree = post.tree()
    leases = [parse_lease(Path(p).stem, post.blob(oid)) for p, oid in tree.items() if p.startswith("shop/leases/")]
    held = sorted(f"{lease.holder}: {lease.thing}" for lease in leases if lease)
    paths = [text for text in held if ": slot " not in text]
    assert _view(post.home.state / "leases" / "shop") == paths
    for root in post._worktrees():
        if (root / "leases").is_dir():
            assert _shown(root / "leases") == held
            assert (root / "leases" / ".view").read_bytes() == (post.home.state / "leases" / "shop").read_bytes()
    return held


# --- shown


def test_a_lease_stands_in_every_root_and_in_the_homes_view_until_it_ends(office: Post) -> None:
    second = office.add_worktree("shop-two")
    office.settle()
    said = _ask(office, "GreenCastle", paths="src/**, docs", slots="build", reason="br-1")
    assert _held(office) == ["GreenCastle: docs", "GreenCastle: slot build", "GreenCastle: src/**"]
    for worktree in (office.worktree, second):
        assert len(_shown(_root(worktree))) == 3
    assert _shown(office.home.post / "shop" / "leases") == _held(office)
    an_id = said["granted"][0]["id"]
    assert yaml.safe_load((_root(second) / f"{an_id}.yaml").read_bytes())["reason"] == "br-1"
    _ask(office, "GreenCastle", "release", paths="docs")
    assert _held(office) == ["GreenCastle: slot build", "GreenCastle: src/**"]
    office.turn(3600)
    assert _held(office) == []
    office.check_mirrors()


def test_leases_are_not_files_that_anything_locks(office: Post) -> None:
    """The file system stays as it is: a lease is a promise, and the guard keeps it at the commit."""
    (office.worktree / "src").mkdir()
    (office.worktree / "src" / "a.py").write_text("one\n")
    _ask(office, "GreenCastle", paths="src/**")
    (office.worktree / "src" / "a.py").write_text("two\n")
    assert (office.worktree / "src" / "a.py").stat().st_mode & 0o200


def test_the_view_says_who_is_here_and_is_dated_by_the_last_look(office: Post) -> None:
    _ask(office, "GreenCastle", paths="src/**", exclusive="no")
    office.drop("BlueLake", kind="retire")
    office.settle()
    for path in (office.home.state / "leases" / "shop", _root(office.worktree) / ".view"):
        view = leaseview.parse(path.read_bytes())
        assert view.agents == ["GreenCastle", "Overseer", "RedCat"]
        assert path.read_bytes().splitlines()[0] == b"gitmaild-leases 1 GreenCastle/shared"
        office.turn(100)
        assert path.stat().st_mtime == office.clock.now.timestamp()


def test_who_registers_or_retires_changes_the_view(office: Post) -> None:
    office.drop("QuietOtter", kind="register")
    office.settle()
    assert "QuietOtter" in leaseview.parse((office.home.state / "leases" / "shop").read_bytes()).agents


@pytest.mark.parametrize("gone", ["view", "home", "lease"])
def test_a_view_that_was_lost_is_back_after_a_restart(office: Post, gone: str) -> None:
    _ask(office, "GreenCastle", paths="src/**")
    before = office.snapshot()
    office.stop()
    if gone == "home":
        shutil.rmtree(office.home.state / "leases")
    else:
        [path] = _root(office.worktree).glob(".view" if gone == "view" else "lease_*.yaml")
        path.unlink()
        (office.worktree / ".gitmaild" / ".checkpoint").unlink()
    office.settle()
    assert office.snapshot() == before
    assert _held(office) == ["GreenCastle: src/**"]


def test_a_worktree_that_joins_late_is_shown_what_is_held(office: Post) -> None:
    _ask(office, "GreenCastle", paths="src/**")
    second = office.add_worktree("shop-two")
    office.turn(5)
    assert _shown(_root(second)) == ["GreenCastle: src/**"]
    assert _view(_root(second) / ".view") == ["GreenCastle: src/**"]


def test_a_desk_root_that_is_deleted_while_leases_are_held_takes_none_of_them_away(office: Post) -> None:
    said = _ask(office, "GreenCastle", paths="src/**", ttl_seconds="600")
    shutil.rmtree(office.worktree / ".gitmaild")
    office.turn(5)
    assert _view(office.home.state / "leases" / "shop") == ["GreenCastle: src/**"]
    (office.worktree / ".gitmaild").mkdir()
    office.drop("RedCat", name="mine.md", kind="reserve", paths="src/a.py")
    office.turn(5)
    office.settle()
    answer = yaml.safe_load(office.sent("RedCat")["mine"].split("---\n")[1])
    assert answer["conflicts"][0]["lease"] == said["granted"][0]["id"]
    assert _held(office) == ["GreenCastle: src/**"]
    office.turn(600)
    assert _held(office) == []


def test_leases_that_end_while_their_root_is_away_are_not_there_when_it_is_back(office: Post) -> None:
    office.add_worktree("shop-two")
    office.settle()
    _ask(office, "GreenCastle", paths="src/**", ttl_seconds="60")
    _ask(office, "RedCat", paths="docs", ttl_seconds="600")
    (office.top / "shop-two").rename(office.top / "away")
    office.turn(60)
    (office.top / "away").rename(office.top / "shop-two")
    office.turn(5)
    assert _shown(_root(office.top / "shop-two")) == ["RedCat: docs"]


# --- restarts


@pytest.mark.parametrize("end", ["stop", "crash"])
def test_a_restart_keeps_every_lease_with_the_same_end(office: Post, end: str) -> None:
    said = _ask(office, "GreenCastle", paths="src/**", ttl_seconds="600")
    _ask(office, "RedCat", paths="src/a", wait_seconds="6000")
    before = office.snapshot()
    getattr(office, end)()
    office.settle()
    assert office.snapshot() == before
    left = parse_stamp(said["granted"][0]["expires"]) - office.clock.now
    office.turn(left.total_seconds() - 1)
    assert _held(office) == ["GreenCastle: src/**"]
    office.turn(1)
    assert _held(office) == ["RedCat: src/a"]
    assert office.inbox("RedCat") == ["Postmaster: granted: src/a"]


def test_what_ran_out_while_no_daemon_ran_is_ended_by_the_next_one_and_handed_on(office: Post) -> None:
    _ask(office, "GreenCastle", paths="src/**", ttl_seconds="60")
    _ask(office, "RedCat", paths="src/a", wait_seconds="6000")
    office.stop()
    office.clock.advance(3000)
    office.turn()
    assert _held(office) == ["RedCat: src/a"]
    assert office.log()[-2:] == ["expire: GreenCastle: src/**", "grant: RedCat: src/a"]


@pytest.mark.parametrize("calls", range(0, 120, 3))
def test_a_daemon_that_dies_between_grant_and_mirror_shows_the_grant_after_its_restart(office: Post, calls: int) -> None:
    office.drop("GreenCastle", name="mine.md", kind="reserve", paths="src/**", ttl_seconds="600")
    with Fuse(calls).in_place() as fuse:
        try:
            office.turn()
        except Blown:
            assert fuse.blown
    if fuse.blown:
        office.crash()
    office.settle()
    assert yaml.safe_load(office.sent("GreenCastle")["mine"].split("---\n")[1])["status"] == "granted"
    assert _held(office) == ["GreenCastle: src/**"]
    assert sum(subject.startswith("reserve: ") for subject in office.log()) == 1
    office.check_nothing_left()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_an_end_that_the_disk_refuses_to_record_is_recorded_when_it_can_be(office: Post, number: int) -> None:
    """Nobody drops anything: the lease itself must still be known to be due."""
    _ask(office, "GreenCastle", paths="src/**", ttl_seconds="60")
    office.settle()
    for at in range(0, 60, 2):
        with Fuse(at, number, 500).in_place() as fuse:
            office.turn(100)
        if not fuse.blown:
            break
        for _ in range(3):
            office.turn(400)
        assert (_held(office), office.alarms()) == ([], []), f"refused at call {at}"
        _ask(office, "GreenCastle", paths="src/**", ttl_seconds="60")
        office.settle()


def test_a_rebuild_shows_what_was_kept_up(office: Post) -> None:
    _ask(office, "GreenCastle", paths="src/**, docs", slots="build")
    _ask(office, "RedCat", paths="src/a", wait_seconds="6000")
    _ask(office, "GreenCastle", "release", paths="docs")
    before = office.snapshot()
    (office.home.state / "rebuild").touch()
    office.turn(5)
    office.settle()
    assert office.snapshot() == before
    office.check_mirrors()
    assert _held(office) == ["GreenCastle: slot build", "GreenCastle: src/**"]


# --- several at once


def test_of_many_who_ask_in_one_pass_one_has_it_and_the_others_know_who(office: Post) -> None:
    for agent in ("GreenCastle", "RedCat", "BlueLake"):
        office.drop(agent, name="mine.md", kind="reserve", paths="src/**")
    office.turn()
    said = [yaml.safe_load(office.sent(a)["mine"].split("---\n")[1]) for a in ("GreenCastle", "RedCat", "BlueLake")]
    assert sorted(answer["status"] for answer in said) == ["conflict", "conflict", "granted"]
    [held] = _held(office)
    losers = [answer["conflicts"][0]["holder"] for answer in said if answer["conflicts"]]
    assert losers == [held.partition(":")[0]] * 2


def test_what_is_freed_in_a_pass_goes_to_who_waited_and_not_to_who_asks_in_the_same_pass(office: Post) -> None:
    _ask(office, "GreenCastle", paths="src/**")
    _ask(office, "RedCat", paths="src/a", wait_seconds="6000")
    office.drop("GreenCastle", name="a.md", kind="release")
    office.drop("BlueLake", name="b.md", kind="reserve", paths="src/a")
    office.turn()
    assert _held(office) == ["RedCat: src/a"]
    office.settle()
    assert "status: conflict" in office.sent("BlueLake")["b"]


def test_a_literal_path_of_the_worktree_is_found_there(office: Post) -> None:
    (office.worktree / "app" / "[slug]").mkdir(parents=True)
    (office.worktree / "app" / "[slug]" / "page.tsx").touch()
    said = _ask(office, "GreenCastle", paths="app/[slug]/page.tsx, app/[id]/page.tsx")
    assert [row["pattern"] for row in said["granted"]] == [":(literal)app/[slug]/page.tsx", "app/[id]/page.tsx"]
    _ask(office, "GreenCastle", "release", paths="app/[slug]/page.tsx")
    assert _held(office) == ["GreenCastle: app/[id]/page.tsx"]


@pytest.mark.parametrize("path", ["../secret[1]", "/etc/pass[w]d", "link/[x]", "a/" * 300 + "[b]", "x" * 3000 + "[b]"])
def test_nothing_outside_of_the_worktree_is_looked_at(office: Post, path: str) -> None:
    (office.top / "secret[1]").touch()
    (office.top / "[x]").touch()
    (office.worktree / "link").symlink_to(office.top)
    office.drop("GreenCastle", name="mine.md", kind="reserve", paths=path)
    office.turn()
    assert ":(literal)" not in office.sent("GreenCastle").get("mine", "")
    assert office.alarms() == []


def test_the_holders_of_what_a_retired_agent_had_are_who_waited(office: Post) -> None:
    _ask(office, "GreenCastle", paths="src/**")
    _ask(office, "RedCat", paths="src/a", wait_seconds="6000")
    office.drop("GreenCastle", kind="retire")
    office.turn()
    assert _held(office) == ["RedCat: src/a"]
    assert office.inbox("GreenCastle") == []


# --- commits that others make


def _foreign_lease(post: Post, holder: str = "GreenCastle", path: str = "lib/**", **over: object) -> str:
    an_id = "lease_20260101_0123456789ab"
    fields: dict[str, Any] = {
        "id": an_id, "thing": Thing(path), "holder": holder, "exclusive": True, "fence": 1000, "granted": post.clock.now,
        "expires": post.clock.now + timedelta(seconds=600), "ttl_seconds": 600,
    }  # fmt: skip
    post.foreign({f"shop/leases/{an_id}.yaml": render_lease(Lease(**{**fields, **over}))})
    return an_id


def test_a_lease_in_somebody_elses_commit_is_a_lease(office: Post) -> None:
    an_id = _foreign_lease(office)
    office.turn(5)
    assert _held(office) == ["GreenCastle: lib/**"]
    assert _ask(office, "RedCat", paths="lib/a")["conflicts"][0]["lease"] == an_id
    assert _ask(office, "RedCat", paths="src")["granted"][0]["fence"] == 1001
    _ask(office, "GreenCastle", "renew")
    office.turn(1300)
    assert _held(office) == ["RedCat: src"]
    office.check_mirrors()


def test_a_lease_of_nobody_in_somebody_elses_commit_is_ended_at_once(office: Post) -> None:
    _foreign_lease(office, holder="SilentWorker")
    office.turn(5)
    assert _held(office) == []


def test_somebody_elses_commit_that_retires_a_holder_ends_its_leases(office: Post) -> None:
    _ask(office, "GreenCastle", paths="src/**")
    _ask(office, "RedCat", paths="src/a", wait_seconds="6000")
    profile = office.blob(office.tree()["shop/agents/GreenCastle/profile.yaml"])
    office.foreign({"shop/agents/GreenCastle/profile.yaml": profile.replace(b"state: active", b"state: retired")})
    office.turn(5)
    assert _held(office) == ["RedCat: src/a"]


GARBAGE = {
    "a name of two lines": b'holder: "Green\\nCastle"\n',
    "a tab": b'holder: "Green\\tCastle"\n',
    "half a surrogate": b'holder: GreenCastle\nreason: "\\ud83d"\n',
    "a path for a name": b"holder: ../../RedCat\n",
    "the year 1": b"holder: GreenCastle\nexpires: 0001-01-01T00:00:00.000000Z\n",
    "the year 9999": b"holder: GreenCastle\nexpires: 9999-12-31T23:59:59.999999Z\n",
    "a negative fence": b"holder: GreenCastle\nfence: -7\n",
    "no lease": b"hello\n",
    "bytes": b"\xff\0\n",
}


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("lines", GARBAGE.values(), ids=GARBAGE)
def test_garbage_in_somebody_elses_commit_holds_nothing_and_breaks_nothing(
    office: Post, lines: bytes, restart: bool
) -> None:
    _ask(office, "GreenCastle", paths="src/**", ttl_seconds="600")
    defaults = {
        b"id": b"lease_20260101_0123456789ab", b"pattern": b"lib/**", b"exclusive": b"true", b"fence": b"1000", b"granted": b"2026-01-01T00:00:00.000000Z",
        b"expires": b"2026-01-01T01:00:00.000000Z", b"ttl_seconds": b"3600", b"state": b"active",
    }  # fmt: skip
    rest = b"".join(key + b": " + value + b"\n" for key, value in defaults.items() if key + b": " not in lines)
    request = "20260101T000000.000000Z_0123456789ab.yaml"
    office.foreign({
        "shop/leases/lease_20260101_0123456789ab.yaml": lines + rest,
        "shop/leases/note.yaml": b"x: y\n",
        f"shop/lease-queue/{request}": b"command: x\nagent: ../x\npaths: [lib]\n",
        "shop/lease-queue/x.yaml": lines,
        "shop/agents/Red Cat\n/profile.yaml": b"state: active\n",
    })  # fmt: skip
    if restart:
        office.crash()
    office.turn(5)
    assert _view(office.home.state / "leases" / "shop") == ["GreenCastle: src/**"]
    assert office.alarms() == []
    assert _ask(office, "RedCat", paths="lib/a")["status"] == "granted"
    office.turn(1000)
    assert _view(office.home.state / "leases" / "shop") == ["RedCat: lib/a"]


# --- clocks


@pytest.mark.parametrize("restart", [False, True])
def test_a_clock_that_goes_back_a_month_revives_no_lease_and_lengthens_none_that_is_held(
    office: Post, restart: bool
) -> None:
    first = _ask(office, "GreenCastle", paths="src/**", ttl_seconds="60")
    office.turn(60)
    second = _ask(office, "RedCat", paths="src/**", ttl_seconds="600")
    office.clock.jump(-30 * DAY)
    if restart:
        office.crash()
    office.turn(5)
    assert _held(office) == ["RedCat: src/**"]
    assert second["granted"][0]["expires"] > first["granted"][0]["expires"]
    third = _ask(office, "GreenCastle", paths="docs")["granted"][0]
    assert third["expires"] > second["granted"][0]["expires"] and third["fence"] == 3
    assert office.alarms() == ["clock"]
    office.clock.jump(30 * DAY)
    office.turn(600)
    office.turn(3700)
    assert "RedCat: src/**" not in _held(office)


def test_a_clock_that_leaps_a_month_ahead_ends_no_lease_for_one_term_and_says_so(office: Post) -> None:
    _ask(office, "GreenCastle", paths="src/**", ttl_seconds="600")
    office.clock.jump(30 * DAY)
    office.turn(5)
    assert _held(office) == ["GreenCastle: src/**"]
    assert office.alarms() == ["clock-leapt"]
    assert "30 days" in office.alarm_texts()[0]
    office.turn(3000)
    assert _held(office) == ["GreenCastle: src/**"]
    office.turn(600)
    assert (_held(office), office.alarms()) == ([], [])


def test_a_leap_ends_no_waiting_either(office: Post) -> None:
    _ask(office, "GreenCastle", paths="src/**", ttl_seconds="7200")
    _ask(office, "RedCat", paths="src/a", wait_seconds="7200")
    office.clock.jump(30 * DAY)
    office.turn(5)
    assert office.inbox("RedCat") == []
    _ask(office, "GreenCastle", "release")
    assert _held(office) == ["RedCat: src/a"]


def test_a_leap_that_is_set_right_again_within_a_term_has_ended_nothing(office: Post) -> None:
    _ask(office, "GreenCastle", paths="src/**", ttl_seconds="7200")
    office.clock.jump(30 * DAY)
    office.turn(5)
    office.clock.jump(-30 * DAY)
    office.turn(3000)
    office.turn(1000)
    assert _held(office) == ["GreenCastle: src/**"]
    assert "clock-leapt" not in office.alarms()


def test_leases_are_asked_for_and_released_as_ever_while_nothing_ends_by_itself(office: Post) -> None:
    _ask(office, "GreenCastle", paths="src/**", ttl_seconds="600")
    office.clock.jump(30 * DAY)
    office.turn(5)
    assert _ask(office, "RedCat", paths="src/a")["status"] == "conflict"
    assert _ask(office, "RedCat", paths="docs", ttl_seconds="60")["status"] == "granted"
    _ask(office, "GreenCastle", "release")
    assert _ask(office, "RedCat", paths="src/a")["status"] == "granted"
    office.turn(100)
    assert _held(office) == ["RedCat: docs", "RedCat: src/a"]


def test_a_machine_that_has_slept_ends_what_ran_out_meanwhile(office: Post) -> None:
    """Time itself has gone on as well: this is no leap of the clock."""
    _ask(office, "GreenCastle", paths="src/**", ttl_seconds="600")
    office.turn(30 * DAY)
    assert (_held(office), office.alarms()) == ([], [])


def test_a_lease_ends_without_any_hint_and_without_a_scan(office: Post) -> None:
    """The daemon wakes up for it: the end is a commit within a second of its time."""
    _ask(office, "GreenCastle", paths="src/**", ttl_seconds="60")
    office.settle()
    daemon = office.start().daemon
    left = daemon.intake.tending.seconds_left()
    assert 0 < left <= 60
    office.clock.advance(left)
    daemon._next_scan = office.clock.ticks + 100
    daemon.turn([])
    assert office.log()[-1] == "expire: GreenCastle: src/**"
    assert daemon.intake.tending.seconds_left() == float("inf")


def test_the_time_of_an_end_is_the_time_of_its_commit(office: Post) -> None:
    _ask(office, "GreenCastle", paths="src/**", ttl_seconds="60")
    office.turn(600)
    [(path, oid)] = [(p, oid) for p, oid in office.tree().items() if p.startswith("shop/leases-ended/")]
    lease = parse_lease(Path(path).stem, office.blob(oid))
    assert lease and lease.ended
    accepted = office.commits()[-1][1]["Accepted"]
    assert stamp(lease.ended) == accepted and path.startswith(f"shop/leases-ended/{accepted[:10].replace('-', '/')}/")


def test_a_path_of_thousands_of_segments_is_refused_and_breaks_nothing(office: Post) -> None:
    office.drop("GreenCastle", name="deep.md", kind="reserve", paths="x/" * 3900 + "x")
    office.turn()
    assert office.rejected("GreenCastle") == {"deep.md": "long-pattern"}


def test_a_mistake_of_our_own_in_looking_after_leases_stops_no_mail_and_is_told(
    office: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gitmaild.app import tending

    _ask(office, "GreenCastle", paths="src/**", ttl_seconds="60")
    with monkeypatch.context() as patch:
        patch.setattr(tending, "tend", lambda *_, **__: 1 / 0)
        office.turn(100)
        office.drop("RedCat", name="note.md", to="BlueLake", subject="still here")
        assert _ask(office, "BlueLake", paths="docs")["status"] == "granted"
        assert office.inbox("BlueLake") == ["RedCat: still here"]
        assert office.alarms() == ["leases"]
        assert _ask(office, "RedCat", paths="src/a")["status"] == "conflict"
    office.foreign({"note.txt": "look again\n"})
    office.turn(5)
    assert (_held(office), office.alarms()) == (["BlueLake: docs"], [])
