"""The lease view: written by the daemon, read by the guard at every commit."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gitmaild
from gitmaild.model.leaseview import Row, Torn, parse, render

TIP = "5e25f19aa0b1c2d3e4f5061728394a5b6c7d8e9f"

_words = st.text(st.characters(exclude_characters="\t\n", exclude_categories=["Cs"]), min_size=1)
_names = st.from_regex(r"[A-Z][a-z]+[A-Z][a-z]+", fullmatch=True)


def a_row(**over: object) -> Row:
    fields = {
        "expires": "2026-11-22T16:22:14.123456Z",
        "exclusive": True,
        "holder": "GreenCastle",
        "fence": 7,
        "pattern": "src/api/**",
        "lease_id": "lease_20261122_0a1b2c3d",
        "reason": "br-123",
    }
    return Row(**(fields | over))  # type: ignore[arg-type]


def rows() -> st.SearchStrategy[list[Row]]:
    reasons = st.text(st.characters(exclude_categories=["Cs"])).map(lambda text: " ".join(text.split()))
    return st.lists(
        st.builds(
            Row,
            expires=_words,
            exclusive=st.booleans(),
            holder=_names,
            fence=st.integers(0, 10**12),
            pattern=_words,
            lease_id=_words,
            reason=reasons,
        ),
        max_size=5,
    )


def test_a_view_reads_as_it_is_documented() -> None:
    held = [a_row(), a_row(holder="RedCat", exclusive=False, fence=8, pattern="docs/*.md", reason="")]
    assert render(held, ["RedCat", "GreenCastle", "BlueLake"], TIP).decode().split("\n") == [
        "gitmaild-leases 1 GreenCastle RedCat/shared",
        "agents BlueLake GreenCastle RedCat",
        "2026-11-22T16:22:14.123456Z\texclusive\tGreenCastle\t7\tsrc/api/**\tlease_20261122_0a1b2c3d\tbr-123",
        "2026-11-22T16:22:14.123456Z\tshared\tRedCat\t8\tdocs/*.md\tlease_20261122_0a1b2c3d\t",
        f"end {TIP} 2",
        "",
    ]


def test_a_view_without_leases_has_three_lines() -> None:
    assert render([], [], "") == b"gitmaild-leases 1\nagents\nend - 0\n"
    assert parse(render([], [], "")).rows == []


def test_a_holder_of_both_kinds_is_said_to_hold_some_shared() -> None:
    first = render([a_row(), a_row(exclusive=False, pattern="b")], [], TIP).split(b"\n")[0]
    assert first == b"gitmaild-leases 1 GreenCastle/shared"


@given(rows(), st.lists(_names, unique=True), st.sampled_from(["", TIP]))
def test_what_is_rendered_is_parsed_back(held: list[Row], agents: list[str], tip: str) -> None:
    view = parse(render(held, agents, tip))
    assert (view.rows, view.agents, view.tip) == (held, sorted(agents), tip)


@given(rows(), st.lists(_names, unique=True), st.data())
def test_a_view_that_is_cut_at_any_byte_is_torn(held: list[Row], agents: list[str], data: st.DataObject) -> None:
    whole = render(held, agents, TIP)
    with pytest.raises(Torn):
        parse(whole[: data.draw(st.integers(0, len(whole) - 1))])


def test_a_view_is_torn_at_each_of_its_bytes() -> None:
    whole = render([a_row(), a_row(reason="end - 1"), a_row(pattern="end - 0")], ["RedCat"], TIP)
    for size in range(len(whole)):
        with pytest.raises(Torn):
            parse(whole[:size])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 4096,
        b"gitmaild-leases 2\nagents\nend - 0\n",
        b"gitmaild-leases 10\nagents\nend - 0\n",
        b"gitmaild-leases 1\nagent\nend - 0\n",
        b"gitmaild-leases 1\nagents\nend - 1\n",
        b"gitmaild-leases 1\nagents\nrubbish\nend - 1\n",
        b"gitmaild-leases 1\nagents\na\tmaybe\tb\t1\tc\td\te\nend - 1\n",
        b"gitmaild-leases 1\nagents\na\tshared\tb\tx\tc\td\te\nend - 1\n",
        b"gitmaild-leases 1\nagents\nend - 0\n\n",
    ],
)
def test_what_is_no_view_is_torn(data: bytes) -> None:
    with pytest.raises(Torn):
        parse(data)


def test_a_reason_of_several_lines_is_made_one() -> None:
    view = parse(render([a_row(reason=" br-123:\n\tthe\r\nAPI ")], [], TIP))
    assert view.rows[0].reason == "br-123: the API"


@pytest.mark.parametrize("field", ["pattern", "lease_id", "holder", "expires"])
def test_a_field_that_would_forge_a_line_is_not_rendered(field: str) -> None:
    for bad in ("a\tb", "a\nb"):
        with pytest.raises(ValueError, match="a tab or a line end"):
            render([a_row(**{field: bad})], [], TIP)


def test_a_pattern_keeps_bytes_that_are_no_text() -> None:
    pattern = b"caf\xe9/\xff".decode("utf-8", "surrogateescape")
    assert parse(render([a_row(pattern=pattern)], [], TIP)).rows[0].pattern == pattern


def test_a_row_shows_what_is_in_it_and_equals_its_like() -> None:
    assert len({a_row(), a_row(), a_row(fence=8)}) == 2
    assert "src/api/**" in repr(a_row())


def test_a_hook_pays_nothing_for_reading_it() -> None:
    """Importing it loads nothing but itself."""
    place = Path(gitmaild.__file__).parent.parent
    code = (
        f"import sys; sys.path.append({str(place)!r}); before = set(sys.modules); import gitmaild.model.leaseview; "
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["gitmaild", "gitmaild.model", "gitmaild.model.leaseview"]
