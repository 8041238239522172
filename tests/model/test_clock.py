"""Time that only goes on."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitmaild.model.clock import Clock, Leap
from gitmaild.model.ids import TICK
from tests.build import NOW
from tests.fakes import FakeClock


def test_the_clock_tells_the_time_of_the_wall() -> None:
    assert Clock(FakeClock().wall).now() == NOW


def test_a_wall_clock_that_stands_still_gives_times_a_microsecond_apart() -> None:
    clock = Clock(FakeClock().wall)
    assert [clock.now() for _ in range(3)] == [NOW, NOW + TICK, NOW + 2 * TICK]


def test_a_clock_goes_on_after_the_newest_time_that_the_home_has_used() -> None:
    used = NOW + timedelta(seconds=2)
    assert Clock(FakeClock().wall, used).now() == used + TICK


@given(st.lists(st.integers(-(10**9), 10**9), max_size=30))
def test_times_strictly_increase_wherever_the_wall_clock_jumps(jumps: list[int]) -> None:
    wall = FakeClock()
    clock = Clock(wall.wall)
    told = [clock.now()]
    for seconds in jumps:
        wall.now = NOW + timedelta(seconds=seconds)
        told.append(clock.now())
    assert told == sorted(set(told))


def test_a_step_back_is_over_once_the_wall_clock_has_caught_up() -> None:
    wall = FakeClock()
    clock = Clock(wall.wall)
    clock.now()
    wall.jump(-86400)
    clock.now()
    wall.jump(86401)
    assert (clock.now(), clock.alarm()) == (NOW + timedelta(seconds=1), "")


@pytest.mark.parametrize(
    ("back", "alarmed"), [(0, False), (1, False), (299, False), (300, False), (301, True), (86400 * 30, True)]
)
def test_a_step_back_under_five_minutes_is_held_and_a_longer_one_alarms(back: int, alarmed: bool) -> None:
    wall = FakeClock()
    clock = Clock(wall.wall)
    clock.now()
    wall.jump(-back)
    clock.now()
    assert bool(clock.alarm()) is alarmed


def test_the_alarm_says_how_far_the_clock_went_back_and_where_times_stand() -> None:
    wall = FakeClock()
    clock = Clock(wall.wall)
    clock.now()
    wall.jump(-3600)
    clock.now()
    assert clock.alarm() == "the clock went back by 1:00:00; times stand still at 2026-01-01T00:00:00Z until it catches up"


def test_a_jump_forward_is_believed() -> None:
    wall = FakeClock()
    clock = Clock(wall.wall)
    clock.now()
    wall.jump(86400 * 30)
    assert (clock.now(), clock.alarm()) == (datetime(2026, 1, 31, tzinfo=NOW.tzinfo), "")


# --- leaps


def _leap(clock: FakeClock) -> Leap:
    return Leap(clock.wall, clock.monotonic)


@pytest.mark.parametrize("seconds", [0.0, 1.0, 86_400.0 * 30])
def test_time_that_goes_on_is_no_leap(seconds: float) -> None:
    clock = FakeClock()
    leap = _leap(clock)
    clock.advance(seconds)
    assert leap.look() == timedelta(0)


@pytest.mark.parametrize(("seconds", "told"), [(299, 0), (300, 0), (301, 301), (86_400 * 30, 86_400 * 30), (-86_400, 0)])
def test_a_wall_clock_that_is_set_forward_by_more_than_minutes_has_leapt(seconds: int, told: int) -> None:
    clock = FakeClock()
    leap = _leap(clock)
    clock.advance(10)
    clock.jump(seconds)
    assert leap.look() == timedelta(seconds=told)


def test_a_leap_is_told_once() -> None:
    clock = FakeClock()
    leap = _leap(clock)
    clock.jump(3600)
    assert leap.look() == timedelta(hours=1)
    clock.advance(5)
    assert leap.look() == timedelta(0)
    clock.jump(7200)
    clock.jump(-7200)
    assert leap.look() == timedelta(0)
