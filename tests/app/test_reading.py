"""What a listing opens, and in which order: a desk may hold a hundred thousand files."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from gitmaild.app import reading
from gitmaild.edges.deskroot import DeskRoot
from gitmaild.model import layout
from gitmaild.model.message import IMPORTANCE
from gitmaild.rules import render
from tests.build import NOW, a_message

COUNT = 300


class Counting(DeskRoot):
    """A desk root that counts what is opened."""

    opened = 0

    def read(self, path: str, *, limit: int = 1 << 30) -> bytes | None:
        self.opened += 1
        return super().read(path, limit=limit)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Counting]:
    """RedCat's, with m0 to m299, a second apart; every hundredth is urgent, every fiftieth in thread br-1 and tagged so."""
    for number in range(COUNT):
        tagged = number % 50 == 0
        message = a_message(
            id=f"msg_20260101_{number:08x}",
            created=NOW + timedelta(seconds=number),
            importance="urgent" if number % 100 == 0 else IMPORTANCE[number % 3],
            thread_id="br-1" if tagged else "br-2",
            subject=f"[br-1] m{number}" if tagged else f"m{number}",
        )
        folder = tmp_path / "agents" / "RedCat" / ("read" if number % 7 == 0 else "inbox")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / layout.file_name(message)).write_bytes(render.message(message))
        (folder / f"zzz{number}.txt").write_text("somebody else's, and last by name")
    root = Counting(tmp_path, "shop", at_home=False)
    yield root
    root.close()


def subjects(found: list[reading.Entry]) -> list[str]:
    return [entry.message.subject for entry in found]


def test_a_page_is_the_newest_and_opens_no_other_file(desk: Counting) -> None:
    found = subjects(reading.inbox(desk, "RedCat", limit=3))
    assert found == ["m299", "m298", "m297"]
    assert desk.opened == 3


def test_all_of_a_desk_comes_newest_first_over_its_folders(desk: Counting) -> None:
    found = reading.inbox(desk, "RedCat", folders=layout.FOLDERS)
    numbers = [int(subject.rpartition("m")[2]) for subject in subjects(found)]
    assert numbers == list(range(COUNT - 1, -1, -1))
    assert {entry.state for entry in found} == {"inbox", "read"}


def test_what_a_name_rules_out_is_not_opened(desk: Counting) -> None:
    assert subjects(reading.inbox(desk, "RedCat", only="urgent")) == ["[br-1] m200", "[br-1] m100"]
    assert subjects(reading.inbox(desk, "RedCat", least="urgent")) == ["[br-1] m200", "[br-1] m100"]
    assert desk.opened == 4
    since = reading.inbox(desk, "RedCat", since=NOW + timedelta(seconds=297), least="normal")
    assert subjects(since) == ["m299", "m298"]
    assert desk.opened == 6
    assert subjects(reading.inbox(desk, "RedCat", tag="BR-1", limit=2)) == ["[br-1] m250", "[br-1] m200"]
    assert desk.opened == 8


def test_the_first_moment_asked_for_is_in(desk: Counting) -> None:
    assert subjects(reading.inbox(desk, "RedCat", since=NOW + timedelta(seconds=299))) == ["m299"]
    assert subjects(reading.inbox(desk, "RedCat", since=NOW + timedelta(seconds=299, microseconds=1))) == []


def test_a_thread_is_chosen_by_what_the_files_say(desk: Counting) -> None:
    found = reading.inbox(desk, "RedCat", folders=layout.FOLDERS, thread="br-1", limit=2)
    assert subjects(found) == ["[br-1] m250", "[br-1] m200"]


def test_a_message_is_found_by_its_id_alone(desk: Counting) -> None:
    found = reading.find(desk, "RedCat", "msg_20260101_00000005")
    assert found
    assert found.message.subject == "m5"
    assert desk.opened == 1
    assert reading.find(desk, "RedCat", "msg_20260101_0000") is None
    assert reading.find(desk, "RedCat", "") is None
