"""What lies in an outbox, and what a claim calls it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitmaild.model.drop import Claim, Waiting, claim, is_drop, parse_claim

ID = "cmd_20260101_00000001"


@pytest.mark.parametrize(
    "name", ["note.md", "a.yaml", "-rf.md", "with space.md", "CON.md", "a.tmp.md", "4913.md", "\udcff.md"]
)
def test_a_name_that_ends_in_md_or_yaml_asks_to_be_taken(name: str) -> None:
    assert is_drop(name)


@pytest.mark.parametrize(
    "name",
    [".note.md", ".#note.md", ".note.md.swp", "note.md~", "note.md.tmp", "note.md.part", "note.md.swp", "4913", "note", "note.txt",
     "note.yml", "files", "", ".md", "#note.md#"],
)  # fmt: skip
def test_drafts_and_editors_litter_are_nobodys_business(name: str) -> None:
    assert not is_drop(name)


def test_a_claim_is_named_by_its_command_id_and_keeps_the_dropped_name() -> None:
    assert claim("root", "GreenCastle", ID, "note.md").file == "cmd_20260101_00000001.note.md"


@given(st.binary(min_size=1, max_size=255).filter(lambda raw: b"/" not in raw and b"\0" not in raw))
def test_a_claim_of_any_name_fits_a_file_name_and_is_read_back(raw: bytes) -> None:
    made = claim("root", "GreenCastle", ID, raw.decode(errors="surrogateescape"))
    assert len(made.file.encode(errors="surrogateescape")) <= 255
    assert parse_claim("root", "GreenCastle", made.file) == made


def test_a_name_that_is_too_long_keeps_its_end() -> None:
    made = claim("root", "GreenCastle", ID, "a" * 251 + ".md")
    assert (len(made.file), made.name[-4:]) == (255, "a.md")


@pytest.mark.parametrize("file", ["note.md", "cmd_20260101_00000001", "cmd_2026_1.a.md", "msg_20260101_00000001.a.md", "",
                                  "cmd_２０２６０１０１_00000001.a.md"])  # fmt: skip
def test_a_file_that_no_claim_made_is_not_read_as_one(file: str) -> None:
    assert parse_claim("root", "GreenCastle", file) is None


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("start.md", "start"),
        ("a.b.yaml", "a.b"),
        ("with space.md", "with-space"),
        ("..md", "drop"),
        ("a\nDrop: x.md", "a-Drop-x"),
        ("-rf.md", "rf"),
        ("\udcff\udcfe.md", "drop"),
        ("日本.md", "drop"),
        ("x" * 200 + ".md", "x" * 80),
    ],
)
def test_a_stem_is_safe_for_a_file_name_and_a_trailer(name: str, stem: str) -> None:
    assert Claim("root", "GreenCastle", ID, name).stem == stem


def test_a_file_that_was_swapped_or_written_to_has_another_signature() -> None:
    seen = Waiting("note.md", 1, 2, 3)
    others = [Waiting("note.md", 9, 2, 3), Waiting("note.md", 1, 9, 3), Waiting("note.md", 1, 2, 9)]
    assert seen.signature not in {other.signature for other in others}
