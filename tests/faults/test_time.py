"""Rows 22 to 25: clocks that jump, dates that are nonsense. `created` only ever grows, and nobody's `date:` is used.

Leases as well: none comes back, none ends because a clock was set wrong for a while, and a term is so long in every zone.
"""

from datetime import UTC, datetime, timedelta

import pytest

from gitmaild.model import leaseview
from gitmaild.model.ids import parse_stamp
from gitmaild.model.layout import parse_file_name
from gitmaild.model.leaseview import Row
from tests.post import Post

DAY = 86_400.0


@pytest.fixture
def office(post: Post) -> Post:
    post.agents("GreenCastle", "RedCat")
    return post


def _send(post: Post, subject: str, **fields: str) -> None:
    post.drop("GreenCastle", to="RedCat", subject=subject, **fields)
    post.settle()


def _stamps(post: Post) -> list[str]:
    return [parsed.at for name in post.names("RedCat") if (parsed := parse_file_name(name))]


def _reserve(post: Post, agent: str, path: str, ttl: int) -> None:
    post.drop(agent, kind="reserve", paths=path, ttl_seconds=str(ttl))
    post.settle()


def _rows(post: Post) -> list[Row]:
    return leaseview.parse((post.home.state / "leases" / "shop").read_bytes()).rows


def _held(post: Post) -> list[str]:
    return [f"{row.holder}: {row.pattern}" for row in _rows(post)]


@pytest.mark.parametrize("restart", [False, True])
def test_f22_the_clock_goes_back_a_month_and_the_order_of_the_mail_stays(office: Post, restart: bool) -> None:
    _send(office, "before")
    first = _stamps(office)[0]
    office.clock.jump(-30 * DAY)
    if restart:
        office.crash()
    _send(office, "after")
    _send(office, "later")
    office.turn(5)
    assert office.inbox("RedCat") == [f"GreenCastle: {word}" for word in ("before", "after", "later")]
    assert _stamps(office) == sorted(set(_stamps(office))) and {at[:8] for at in _stamps(office)} == {first[:8]}
    assert office.alarms() == ["clock"]
    assert "the clock went back by 29 days" in office.alarm_texts()[0]
    office.check_exactly_once()
    office.clock.jump(31 * DAY)
    _send(office, "tomorrow")
    office.turn(5)
    assert office.alarms() == []
    assert _stamps(office) == sorted(set(_stamps(office)))


@pytest.mark.parametrize("restart", [False, True])
def test_f22_the_clock_goes_back_a_month_and_no_lease_comes_back(office: Post, restart: bool) -> None:
    _reserve(office, "GreenCastle", "src/**", 60)
    office.turn(60)
    _reserve(office, "RedCat", "src/**", 7200)
    end, fence = _rows(office)[0].expires, _rows(office)[0].fence
    office.clock.jump(-30 * DAY)
    if restart:
        office.crash()
    office.turn(5)
    assert [(row.holder, row.expires, row.fence) for row in _rows(office)] == [("RedCat", end, fence)]
    _reserve(office, "GreenCastle", "docs/**", 60)
    assert [row.fence for row in _rows(office)] == [fence, fence + 1]
    office.check_mirrors()


def test_f22_a_small_step_back_is_held_without_a_word(office: Post) -> None:
    _send(office, "before")
    office.clock.jump(-200)
    _send(office, "after")
    office.turn(5)
    assert office.inbox("RedCat") == ["GreenCastle: before", "GreenCastle: after"]
    assert office.alarms() == []


def test_f23_the_clock_goes_a_month_ahead_and_back_and_says_until_when_times_stand_still(office: Post) -> None:
    _send(office, "before")
    office.clock.jump(30 * DAY)
    _send(office, "ahead")
    office.clock.jump(-30 * DAY)
    _send(office, "after")
    office.turn(5)
    assert office.inbox("RedCat") == [f"GreenCastle: {word}" for word in ("before", "ahead", "after")]
    ahead = office.clock.now + timedelta(days=30)
    assert f"times stand still at {ahead:%Y-%m-%d}" in office.alarm_texts()[0]
    office.check_exactly_once()
    office.check_mirrors()


def test_f23_the_clock_goes_a_month_ahead_and_back_and_no_lease_has_ended(office: Post) -> None:
    _reserve(office, "GreenCastle", "src/**", 7200)
    office.clock.jump(30 * DAY)
    office.turn(5)
    assert (_held(office), office.alarms()) == (["GreenCastle: src/**"], ["clock-leapt"])
    assert "no lease expires until it has held for 3600 s" in office.alarm_texts()[0]
    office.turn(3000)
    office.clock.jump(-30 * DAY)
    office.turn(1000)
    assert (_held(office), "clock-leapt" in office.alarms()) == (["GreenCastle: src/**"], False)


def test_f23_the_clock_goes_a_month_ahead_for_good_and_leases_end_after_one_term(office: Post) -> None:
    _reserve(office, "GreenCastle", "src/**", 60)
    office.clock.jump(30 * DAY)
    office.turn(5)
    office.turn(3590)
    assert _held(office) == ["GreenCastle: src/**"]
    office.turn(70)
    assert (_held(office), office.alarms()) == ([], [])


@pytest.mark.parametrize("seconds", [-299, 299])
def test_f23_a_clock_that_is_set_by_minutes_pauses_nothing(office: Post, seconds: int) -> None:
    _reserve(office, "GreenCastle", "src/**", 600)
    office.clock.jump(seconds)
    office.turn(5)
    assert (_held(office), office.alarms()) == (["GreenCastle: src/**"], [])
    office.turn(600 + 300)
    assert _held(office) == []


def test_f23_a_jump_ahead_makes_no_half_written_file_look_finished(office: Post) -> None:
    office.clock.now = datetime.now(UTC)  # the clock that files are dated by
    half = office.desk("GreenCastle") / "outbox" / "half.md"
    half.write_text("---\nto: RedCat\n")
    office.scan(0)
    office.clock.jump(30 * DAY)
    office.scan(1)
    assert office.waiting("GreenCastle") == ["half.md"]
    half.write_text("---\nto: RedCat\nsubject: whole\n---\nhello\n")
    office.scan(1)
    office.scan(1)
    assert office.inbox("RedCat") == ["GreenCastle: whole"]


DATES = [
    "2026-03-29T02:30:00",
    "2026-10-25T02:30:00+02:00",
    "2016-12-31T23:59:60Z",
    "9999-12-31T23:59:59Z",
    "0000-00-00",
    "Thu, 1 Jan 1970 00:00:00 -0000",
    "yesterday",
    "now: or never",
]


@pytest.mark.parametrize("date", DATES)
def test_f24_a_date_is_the_senders_text_and_created_is_ours_in_utc(
    office: Post, date: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    _send(office, "dated", date=date)
    text = (office.desk("RedCat") / "inbox" / office.names("RedCat")[0]).read_text()
    lines = text.splitlines()
    assert [line.removeprefix("date: ").strip('"') for line in lines if line.startswith("date: ")] == [date]
    created = next(line for line in lines if line.startswith("created: "))
    assert created.startswith("created: 2026-01-01T00:00:") and created.endswith("Z")
    assert _stamps(office)[0].startswith("20260101T0000")


@pytest.mark.parametrize("now", ["2026-03-29T00:59:00", "2026-10-25T00:59:00", "2026-12-31T23:59:30", "2028-02-28T23:59:59"])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/St_Johns", "UTC"])
def test_f24_a_term_is_so_long_whatever_the_calendar_does_meanwhile(
    post: Post, now: str, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    post.clock.now = datetime.fromisoformat(now).replace(tzinfo=UTC)
    post.agents("GreenCastle")
    post.drop("GreenCastle", kind="reserve", paths="src/**", ttl_seconds="7200")
    post.turn()
    granted = post.clock.now
    end = parse_stamp(_rows(post)[0].expires)
    assert timedelta(0) <= end - granted - timedelta(seconds=7200) < timedelta(seconds=1)
    post.turn(7199)
    assert _held(post) == ["GreenCastle: src/**"]
    post.turn(2)
    assert _held(post) == []


def test_f25_a_date_in_the_future_changes_no_order(office: Post) -> None:
    _send(office, "future", date="2036-01-01T00:00:00Z")
    _send(office, "past", date="1999-01-01T00:00:00Z")
    _send(office, "none")
    assert office.inbox("RedCat") == [f"GreenCastle: {word}" for word in ("future", "past", "none")]
    assert office.rejected("GreenCastle") == {}
    assert {at[:8] for at in _stamps(office)} == {"20260101"}
