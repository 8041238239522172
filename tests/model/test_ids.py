"""Ids, thread names and times."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitmaild.model import ids
from gitmaild.model.errors import Refused
from tests.build import NOW
from tests.fakes import SeededEntropy

thread_ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", fullmatch=True)
HOSTILE = [
    "",
    "../../etc/passwd",
    "a/b",
    "..",
    ".git",
    "-x",
    "a b",
    "a\nb",
    "a\0b",
    "br-123\n",
    "%2e%2e",
    "ｂr-1",
    "a" * 101,
    "x" * 10240,
]


# --- minting


def test_a_command_id_is_the_day_and_eight_random_digits() -> None:
    assert ids.mint(NOW, lambda size: bytes(range(size)), ()) == "cmd_20260101_00010203"


def test_an_id_grows_where_shorter_ones_are_taken() -> None:
    taken = {"20260101_00010203"}
    assert ids.mint(NOW, lambda size: bytes(range(size)), taken) == "cmd_20260101_000102030405"


def test_a_second_draw_comes_before_a_longer_id() -> None:
    draws = iter([b"\0" * 4, b"\1" * 4])
    assert ids.mint(NOW, lambda size: next(draws), {"20260101_00000000"}) == "cmd_20260101_01010101"


def test_entropy_that_repeats_itself_is_an_error_and_not_a_second_message_of_one_id() -> None:
    taken = {f"20260101_{'00' * size}" for size in (4, 6, 8, 16)}
    with pytest.raises(RuntimeError, match="entropy"):
        ids.mint(NOW, bytes, taken)


def test_a_hundred_thousand_ids_of_a_day_are_all_different() -> None:
    entropy, taken = SeededEntropy(), set[str]()
    for _ in range(100_000):
        taken.add(ids.digits(ids.mint(NOW, entropy, taken)))
    assert len(taken) == 100_000


@given(st.binary(min_size=16, max_size=16))
def test_a_minted_id_is_read_as_one(raw: bytes) -> None:
    made = ids.mint(NOW, lambda size: raw[:size], ())
    assert ids.COMMAND_ID.fullmatch(made)
    assert ids.MESSAGE_ID.fullmatch(ids.message_id(made))


# --- derived ids


def test_a_message_has_the_digits_of_its_command() -> None:
    assert ids.message_id("cmd_20260101_7b3dc3a7") == "msg_20260101_7b3dc3a7"


def test_a_note_has_an_id_of_its_own_on_the_same_day() -> None:
    assert re.fullmatch(r"msg_20260101_[0-9a-f]{12}", ids.note_id("cmd_20260101_7b3dc3a7"))


def test_a_command_and_its_message_give_rise_to_the_same_note() -> None:
    assert ids.note_id("cmd_20260101_7b3dc3a7") == ids.note_id("msg_20260101_7b3dc3a7")


def test_an_id_falls_apart_into_its_digits_and_its_hex() -> None:
    assert (ids.digits("msg_20260101_7b3dc3a7"), ids.hex_of("msg_20260101_7b3dc3a7")) == ("20260101_7b3dc3a7", "7b3dc3a7")


# --- what senders write


@pytest.mark.parametrize("text", ["msg_20260101_7b3dc3a7", "msg_20260101_" + "0" * 32])
def test_a_message_id_passes(text: str) -> None:
    assert ids.check_message_id(text, field="ids") == text


@pytest.mark.parametrize(
    "text",
    [*HOSTILE, "msg_20260101_7b3dc3a", "msg_20260101_7B3DC3A7", "cmd_20260101_7b3dc3a7", "msg_2026011_7b3dc3a7", "msg_20260101_" + "0" * 33,
     "msg_20260101_7b3dc3a7\n", "msg_２０２６０１０１_7b3dc3a7"],
)  # fmt: skip
def test_what_is_no_message_id_is_refused_with_its_field_and_line(text: str) -> None:
    with pytest.raises(Refused) as caught:
        ids.check_message_id(text, field="in_reply_to", line=3)
    refusal = caught.value.refusal
    assert (refusal.code, refusal.field, refusal.line) == ("bad-id", "in_reply_to", 3)
    assert len(refusal.reason) < 500


@pytest.mark.parametrize(
    "text", ["br-123", "BR-123", "a", "0", "progress", "v1.2.3", "a..b", "con", "msg_20260101_7b3dc3a7", "a" * 100]
)
def test_a_thread_id_passes(text: str) -> None:
    assert ids.check_thread_id(text) == text


@pytest.mark.parametrize("text", HOSTILE)
def test_what_cannot_name_a_thread_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(Refused) as caught:
        ids.check_thread_id(text, line=4)
    refusal = caught.value.refusal
    assert (refusal.code, refusal.field, refusal.line) == ("bad-thread", "thread_id", 4)
    assert len(refusal.reason) < 500


# --- thread files


@pytest.mark.parametrize("text", ["br-123", "a", "v1.2.3", "a..b", "console", "com", "lpt10", "com10.x", "conx.md"])
def test_a_plain_thread_id_is_its_own_file_name(text: str) -> None:
    assert ids.thread_file(text) == text


@pytest.mark.parametrize("text", ["BR-123", "a.", "con", "con.txt", "nul", "com1", "lpt9.log", "aux", "PRN"])
def test_capitals_and_reserved_names_get_a_suffix(text: str) -> None:
    assert re.fullmatch(re.escape(text.lower()) + "~[0-9a-f]{8}", ids.thread_file(text))


@given(st.lists(thread_ids, min_size=2, max_size=8, unique=True))
def test_two_threads_never_share_a_file_even_where_case_does_not_count(found: list[str]) -> None:
    found += [text.swapcase() for text in found]
    assert len({ids.thread_file(text).lower() for text in set(found)}) == len(set(found))


@given(thread_ids)
def test_a_thread_file_is_one_safe_component_of_a_path(text: str) -> None:
    assert re.fullmatch(r"[a-z0-9][a-z0-9._~-]{0,110}", ids.thread_file(text))


# --- times


def test_a_time_is_written_in_utc_with_microseconds() -> None:
    elsewhere = datetime(2026, 1, 1, 2, 30, 0, 5, tzinfo=timezone(timedelta(hours=2)))
    assert ids.stamp(elsewhere) == "2026-01-01T00:30:00.000005Z"


@given(st.datetimes(min_value=datetime(1000, 1, 1), timezones=st.just(UTC)))
def test_a_time_is_read_back_as_it_was_written(moment: datetime) -> None:
    assert ids.parse_stamp(ids.stamp(moment)) == moment


@pytest.mark.parametrize(
    "text", ["", "2026-01-01", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000000+00:00", "2026-13-01T00:00:00.000000Z"]
)
def test_any_other_form_of_time_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):
        ids.parse_stamp(text)
