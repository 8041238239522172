"""Rows 22 to 25: clocks that jump, dates that are nonsense. `created` only ever grows, and nobody's `date:` is used."""

from datetime import UTC, datetime, timedelta

import pytest

from gitmaild.model.layout import parse_file_name
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


def test_f25_a_date_in_the_future_changes_no_order(office: Post) -> None:
    _send(office, "future", date="2036-01-01T00:00:00Z")
    _send(office, "past", date="1999-01-01T00:00:00Z")
    _send(office, "none")
    assert office.inbox("RedCat") == [f"GreenCastle: {word}" for word in ("future", "past", "none")]
    assert office.rejected("GreenCastle") == {}
    assert {at[:8] for at in _stamps(office)} == {"20260101"}
