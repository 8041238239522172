"""The grammar of front matter: lines `key: value`, and the value is the rest of the line."""

import time
from datetime import UTC, datetime

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from gitmaild.model.errors import Refusal, Refused
from gitmaild.rules import frontmatter
from gitmaild.rules.frontmatter import Field, Fields
from tests.build import any_text, written

LIMIT = 8 * 1024


def read(text: str | bytes, *, fenced: bool = True, limit: int = LIMIT) -> tuple[Fields, str]:
    return frontmatter.read(text.encode() if isinstance(text, str) else text, limit=limit, fenced=fenced)


def values(lines: str) -> dict[str, object]:
    """The fields of these front-matter lines: a list where it was written below its key, else the text."""
    fields, _ = read(f"---\n{lines}\n---\n")
    return {key: field.items if field.items is not None else field.value for key, field in fields.items()}


def value(text: str) -> object:
    return values(f"x: {text}")["x"]


def items(text: str) -> tuple[str, ...]:
    return frontmatter.as_list(read(f"---\nx: {text}\n---\n")[0]["x"])


def refusal_of(text: str | bytes, *, fenced: bool = True, limit: int = LIMIT) -> Refusal:
    with pytest.raises(Refused) as caught:
        read(text, fenced=fenced, limit=limit)
    return caught.value.refusal


# --- the fences


@pytest.mark.parametrize(
    "text",
    ["---\nto: RedCat\n---\nhi\n", "--- \nto: RedCat\n--- \nhi\n", "---\t \nto: RedCat\n---\t\nhi\n", "\ufeff---\nto: RedCat\n---\nhi\n"],
)  # fmt: skip
def test_two_fences_enclose_the_front_matter(text: str) -> None:
    assert read(text) == ({"to": Field("RedCat", 2)}, "hi\n")


def test_crlf_is_accepted_and_stays_in_the_body_byte_for_byte() -> None:
    assert read("---\r\nto: RedCat\r\ncc:\r\n- BlueLake\r\n---\r\nhi\r\nho\r\n") == (
        {"to": Field("RedCat", 2), "cc": Field("", 3, ("BlueLake",))},
        "hi\r\nho\r\n",
    )


@pytest.mark.parametrize(
    "body", ["", "\n", "x", "\r\n", "---\n", "no end", "\n\n---\nto: RedCat\n---\n", "\ufeffbom", "\x1b[2J\x07", "tab\there"]
)
def test_the_body_is_kept_byte_for_byte(body: str) -> None:
    assert read(f"---\nto: RedCat\n---\n{body}")[1] == body


def test_a_file_may_end_right_after_its_closing_fence() -> None:
    assert read("---\nto: RedCat\n---") == ({"to": Field("RedCat", 2)}, "")


def test_empty_lines_between_fields_do_not_matter() -> None:
    assert values("\n\nto: RedCat\n   \nsubject: x\n") == {"to": "RedCat", "subject": "x"}


def test_no_fields_at_all_are_no_fields() -> None:
    assert read("---\n---\nhi\n") == ({}, "hi\n")


@pytest.mark.parametrize(
    ("data", "code", "line"),
    [
        (b"", "empty-file", 0),
        (b" \n\t\r\n", "empty-file", 0),
        (b"hello\n", "no-front-matter", 1),
        (b"---", "no-front-matter", 1),
        (b"\n---\nto: RedCat\n---\n", "no-front-matter", 1),
        (b" ---\nto: RedCat\n---\n", "no-front-matter", 1),
        (b"----\nto: RedCat\n----\n", "no-front-matter", 1),
        (b"--- # mail\nto: RedCat\n---\n", "no-front-matter", 1),
        (b"to: RedCat\n---\nhi\n", "no-front-matter", 1),
        (b"\xff\xfe-\0-\0-\0\n\0", "no-front-matter", 1),
        (b"---\nto: RedCat\n", "front-matter-open", 0),
        (b"---\nto: RedCat\n...\nhi\n", "front-matter-open", 0),
        (b"---\nto: RedCat\n ---\nhi\n", "front-matter-open", 0),
        (b"---\nto: RedCat\n----\nhi\n", "front-matter-open", 0),
        (b"---\nto: RedCat\n...\nhi\n---\n", "not-a-field", 3),
    ],
)
def test_a_file_without_two_fences_is_refused(data: bytes, code: str, line: int) -> None:
    refusal = refusal_of(data)
    assert (refusal.code, refusal.line) == (code, line)


@pytest.mark.parametrize(
    ("data", "closed"),
    [
        (b"", False),
        (b"---\n", False),
        (b"---\nto: RedCat\n", False),
        (b"---\nto: RedCat\n--", False),
        (b"---\nto: RedCat\n---", True),
        (b"---\nto: RedCat\n---\nhi", True),
        (b"\xef\xbb\xbf---\r\nto: RedCat\r\n--- \r\n", True),
        (b"hello\n---\n---\n", False),
        (b"---\n---\n", True),
    ],
)
def test_a_file_may_be_complete_once_its_front_matter_is_closed(data: bytes, closed: bool) -> None:
    assert frontmatter.is_closed(data) is closed


# --- a command without a body


@pytest.mark.parametrize(
    "text",
    ["kind: read\nids: x\n", "\ufeffkind: read\nids: x", "---\nkind: read\nids: x\n", "---\nkind: read\nids: x\n---\n"],
)
def test_a_yaml_drop_may_leave_its_fences_out(text: str) -> None:
    fields, body = read(text, fenced=False)
    assert ({key: field.value for key, field in fields.items()}, body) == ({"kind": "read", "ids": "x"}, "")


def test_lines_are_counted_from_the_top_of_the_file() -> None:
    assert read("kind: read\nids: x\n", fenced=False)[0]["ids"].line == 2
    assert read("---\nkind: read\nids: x\n---\n", fenced=False)[0]["ids"].line == 3


def test_a_second_document_in_a_yaml_drop_is_refused() -> None:
    assert (refusal_of("kind: read\n---\nkind: ack\n", fenced=False).code) == "not-a-field"


# --- limits


@pytest.mark.parametrize("ending", ["---\n", "---\r\n", "---    \n", "---"])
def test_front_matter_of_exactly_the_limit_is_accepted(ending: str) -> None:
    lines = "x: " + "a" * 96 + "\n"
    assert read(f"---\n{lines}{ending}", limit=100)[0] == {"x": Field("a" * 96, 2)}


@pytest.mark.parametrize("ending", ["---\n", "---\r\n", "---    \n", "---", "---not a fence\n---\n"])
def test_front_matter_over_the_limit_is_refused_with_limit_and_size(ending: str) -> None:
    refusal = refusal_of("---\nx: " + "a" * 97 + "\n" + ending, limit=100)
    assert refusal.code == "front-matter-too-long"
    assert "limit 100" in refusal.reason


def test_the_size_is_told() -> None:
    assert refusal_of("---\nx: " + "a" * 97 + "\n---\nhi\n", limit=100).reason == "front matter: 101 bytes; limit 100"


def test_front_matter_that_never_ends_is_told_both_faults() -> None:
    assert refusal_of("---\n" + "a" * 200, limit=100).reason == "front matter: 200 bytes, not closed; limit 100"


@pytest.mark.parametrize("opening", ["", "---\n"])
def test_the_limit_holds_for_a_yaml_drop_as_well(opening: str) -> None:
    assert refusal_of(f"{opening}x: " + "a" * 98, fenced=False, limit=100).code == "front-matter-too-long"


def test_the_body_does_not_count() -> None:
    assert read("---\nx: a\n---\n" + "b" * 1000, limit=10)[1] == "b" * 1000


# --- bytes


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"---\nx: ab\xff\n---\n", "front matter: byte 0xff at offset 9 is not UTF-8"),
        (b"\xef\xbb\xbf---\nx: ab\xff\n---\n", "front matter: byte 0xff at offset 12 is not UTF-8"),
        (b"---\nx: \xed\xa0\x80\n---\n", "front matter: byte 0xed at offset 7 is not UTF-8"),
        (b"---\nx: \xc0\xaf\n---\n", "front matter: byte 0xc0 at offset 7 is not UTF-8"),
        (b"---\nx: a\n---\nb\xe9\n", "body: byte 0xe9 at offset 14 is not UTF-8"),
    ],
)
def test_what_is_not_utf8_is_refused_with_its_byte_and_place(data: bytes, reason: str) -> None:
    refusal = refusal_of(data)
    assert (refusal.code, refusal.reason) == ("not-utf8", reason)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"---\nx: a\0b\n---\n", "front matter: a NUL byte at offset 8"),
        (b"---\nx: a\n---\nb\0\n", "body: a NUL byte at offset 14"),
        ("---\nx: é\n---\né\0\n".encode(), "body: a NUL byte at offset 16"),
    ],
)
def test_a_nul_byte_is_refused_with_its_place(data: bytes, reason: str) -> None:
    refusal = refusal_of(data)
    assert (refusal.code, refusal.reason) == ("nul-byte", reason)


@pytest.mark.parametrize("char", ["\x01", "\x07", "\x08", "\x1b", "\x7f", "\r", "\x0b", "\x0c"])
def test_a_control_character_in_a_header_is_refused(char: str) -> None:
    refusal = refusal_of(f"---\nto: RedCat\nsubject: a{char}b\n---\n")
    assert refusal == Refusal(
        "control-character", f"line 3: subject: control character 0x{ord(char):02x}", "remove it", "subject", 3
    )


def test_a_control_character_in_a_list_item_is_refused_with_the_items_line() -> None:
    refusal = refusal_of("---\nto:\n- RedCat\n- Blue\x1bLake\n---\n")
    assert (refusal.code, refusal.field, refusal.line) == ("control-character", "to", 4)


def test_a_tab_is_no_control_character() -> None:
    assert value("a\tb") == "a\tb"


@pytest.mark.parametrize("escaped", [r'"a\u0000b"', r'"a\e[2Jb"', r'"\ud800"', r'"\x07"', r'"a\rb"'])
def test_what_an_escape_spells_is_refused_where_a_reader_asks_for_it(escaped: str) -> None:
    field = read(f"---\nx: {escaped}\n---\n")[0]["x"]
    with pytest.raises(Refused) as caught:
        frontmatter.refuse_control_characters("x", field)
    assert (caught.value.refusal.code, caught.value.refusal.line) == ("control-character", 2)


# --- plain values


@pytest.mark.parametrize(
    "text",
    [
        "[br-123] Start: Auth API",
        "a: b: c",
        "# not a comment",
        "tail # not a comment",
        "**/*.py",
        "*",
        "!important",
        "@everyone",
        "%TAG",
        "&amp",
        "`code`",
        "{a, b",
        "[unclosed",
        "closed]",
        "yes",
        "null",
        "~",
        "0123",
        "12:30:45",
        "2026-01-01",
        "- dash",
        "? question",
        "-",
        "---",
        "a --- b",
        "it's",
        '5" pipe',
        'say "hi" now',
        "'tis",
        "'a' and 'b'",
        '"a" and "b"',
        "C:\\temp\\new",
        "日本語 🎉",
        "\u202eevil",
        "| not a block",
        "> quoted",
        "|x",
        "a  b",
        "\u00a0x\u00a0y",
    ],
)
def test_a_plain_value_is_the_rest_of_the_line_literally(text: str) -> None:
    assert value(text) == text.strip()


def test_blanks_around_a_value_are_not_part_of_it() -> None:
    assert values("x:   a  \ny:\tb\t\nz :c") == {"x": "a", "y": "b", "z": "c"}


def test_an_empty_value_is_empty() -> None:
    assert values("x:\ny: ") == {"x": "", "y": ""}


def test_keys_are_read_without_regard_to_case() -> None:
    assert values("To: RedCat\nSUBJECT: x") == {"to": "RedCat", "subject": "x"}


@pytest.mark.parametrize(
    ("text", "read_as"),
    [
        ('"a b"', "a b"),
        ("'a b'", "a b"),
        ('""', ""),
        ("''", ""),
        (r'"a\nb"', "a\nb"),
        (r'"tab\there"', "tab\there"),
        (r'"\u00e9"', "é"),
        (r'"\ud83c\udf89"', "🎉"),
        (r'"\x41\N"', "A\x85"),
        ('"it\'s"', "it's"),
        ("'it''s'", "it's"),
        (r'"say \"hi\""', 'say "hi"'),
        ("'say \"hi\"'", 'say "hi"'),
        ("\"' '\"", "' '"),
        (r"'C:\temp'", r"C:\temp"),
        (r'"C:\qemp"', r"C:\qemp"),
        ('"#: *&!"', "#: *&!"),
        ('"', '"'),
        ("'", "'"),
        ('"""', '"""'),
        ("'it's'", "'it's'"),
        ('"a" "b"', '"a" "b"'),
        ('"a"b', '"a"b'),
    ],
)
def test_quotes_are_read_as_yaml_reads_them_and_else_only_an_enclosing_pair_goes(text: str, read_as: str) -> None:
    assert value(text) == read_as


@pytest.mark.parametrize(
    ("block", "read_as"),
    [
        ("|\n  one\n  two", "one\ntwo\n"),
        (">\n  one\n  two", "one two\n"),
        ("|-\n  one\n  two", "one\ntwo"),
        (">-\n  one\n\n  two", "one\ntwo"),
        ("|+\n  one\n", "one\n\n"),
        ("|2\n    one\n  two", "  one\ntwo\n"),
        ("|\n  a: b\n  - c\n  # d", "a: b\n- c\n# d\n"),
        ("|\n  ---\n  two", "---\ntwo\n"),
        ("|\n\n  one", "\none\n"),
    ],
)
def test_a_block_scalar_is_read_as_yaml_reads_it(block: str, read_as: str) -> None:
    assert values(f"x: {block}\ny: z") == {"x": read_as, "y": "z"}


@pytest.mark.parametrize("text", ["|", ">", "|-"])
def test_what_looks_like_a_block_and_has_none_below_is_a_value(text: str) -> None:
    assert values(f"x: {text}\ny: z") == {"x": text, "y": "z"}


def test_a_block_that_is_indented_unevenly_is_refused() -> None:
    refusal = refusal_of("---\nto: RedCat\nx: |\n    one\n  two\n---\n")
    assert (refusal.code, refusal.line) == ("bad-block", 3)


def test_a_control_character_in_a_block_is_refused() -> None:
    assert refusal_of("---\nx: |\n  a\x1bb\n---\n").code == "bad-block"


# --- lists


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("RedCat", ("RedCat",)),
        ("RedCat, BlueLake", ("RedCat", "BlueLake")),
        ("RedCat,BlueLake,", ("RedCat", "BlueLake")),
        ("[RedCat, BlueLake]", ("RedCat", "BlueLake")),
        ("[ RedCat ]", ("RedCat",)),
        ("['RedCat', \"BlueLake\"]", ("RedCat", "BlueLake")),
        ('"RedCat", "BlueLake"', ("RedCat", "BlueLake")),
        ('"RedCat, BlueLake"', ("RedCat", "BlueLake")),
        ("", ()),
        ("[]", ()),
        ("[ ]", ()),
        (",", ()),
        ("src/{a,b}/*.py, docs", ("src/{a,b}/*.py", "docs")),
        ("app/[a,b].py, docs", ("app/[a,b].py", "docs")),
        ("[src/{a,b}, [x,y].py]", ("src/{a,b}", "[x,y].py")),
        ("[a], [b]", ("[a]", "[b]")),
        ("[a]b[c]", ("[a]b[c]",)),
        ("app/[slug]/page.tsx", ("app/[slug]/page.tsx",)),
        ('["a,b", c]', ("a,b", "c")),
        ('["a]", "b"]', ("a]", "b")),
        ("['it''s, x', b]", ("it's, x", "b")),
        (r'["say \"hi, you\"", b]', ('say "hi, you"', "b")),
        ('["[", "{"]', ("[", "{")),
        ("'tis, b", ("'tis", "b")),
        ("**/*.py, !x", ("**/*.py", "!x")),
        ("[a, b", ("[a, b",)),
        ("a, b]", ("a", "b]")),
        ("}, a, b", ("}", "a", "b")),
    ],
)
def test_a_list_on_one_line_is_split_at_its_own_commas(text: str, found: tuple[str, ...]) -> None:
    assert items(text) == found


@pytest.mark.parametrize(
    "lines",
    ["- RedCat\n- BlueLake", "  - RedCat\n  - BlueLake", "-  RedCat\n\n- 'BlueLake'", '\n- "RedCat"\n    -   BlueLake  '],
)
def test_a_list_may_stand_below_its_key(lines: str) -> None:
    fields, _ = read(f"---\nto:\n{lines}\nsubject: x\n---\n")
    assert frontmatter.as_list(fields["to"]) == ("RedCat", "BlueLake")


def test_an_item_below_a_key_is_literal() -> None:
    assert values("x:\n- a, b\n- [c]\n- k: v\n-\n- - d") == {"x": ("a, b", "[c]", "k: v", "", "- d")}


@pytest.mark.parametrize(
    ("lines", "line"),
    [("- RedCat", 2), ("to: RedCat\n- BlueLake", 3), ("to:\n- RedCat\nsubject: x\n- BlueLake", 5), ("x: |\n  a\n- b", 4)],
)
def test_an_item_without_a_list_is_refused(lines: str, line: int) -> None:
    refusal = refusal_of(f"---\n{lines}\n---\n")
    assert (refusal.code, refusal.line) == ("stray-item", line)


def test_ten_thousand_items_are_enough() -> None:
    refusal = refusal_of("---\nx:\n" + "- a\n" * 10_001 + "---\n", limit=1 << 20)
    assert (refusal.code, refusal.line) == ("too-many-items", 10_003)


# --- what is refused


@pytest.mark.parametrize(
    ("lines", "code", "line"),
    [
        ("to: RedCat\nto: BlueLake", "duplicate-key", 3),
        ("to: RedCat\nTo: BlueLake", "duplicate-key", 3),
        ("to:\n- RedCat\nto: BlueLake", "duplicate-key", 4),
        ("to:\n  name: RedCat", "nested", 3),
        ("subject: one\n  two", "nested", 3),
        ("\tto: RedCat", "nested", 2),
        ("to RedCat", "not-a-field", 2),
        ("to: RedCat\n# comment", "not-a-field", 3),
        ("{to: RedCat}", "not-a-field", 2),
        ("? to\n: RedCat", "not-a-field", 2),
        (": x", "not-a-field", 2),
        ("1to: x", "not-a-field", 2),
        ("to.cc: x", "not-a-field", 2),
        ("<<: *base", "not-a-field", 2),
        ('"to": RedCat', "not-a-field", 2),
        ("ｔo: RedCat", "not-a-field", 2),
        ("%YAML 1.1", "not-a-field", 2),
        ("k" * 65 + ": x", "not-a-field", 2),
        ("to: RedCat\u2028cc: x\n!!x", "not-a-field", 3),
    ],
)
def test_what_is_not_flat_lines_of_key_and_value_is_refused_with_its_line(lines: str, code: str, line: int) -> None:
    refusal = refusal_of(f"---\n{lines}\n---\n")
    assert (refusal.code, refusal.line) == (code, line)
    assert refusal.reason.startswith(f"line {line}: ")


def test_a_duplicate_names_the_key_and_the_first_line() -> None:
    assert refusal_of("---\nfrom: a\nto: b\nfrom: c\n---\n") == Refusal(
        "duplicate-key", "line 4: duplicate key 'from' (first on line 2)", "keep one of them", "from", 4
    )


@pytest.mark.parametrize(
    "text", ["&a RedCat", "&a", "*a", "!!str RedCat", "!!python/object/apply:os.system [ls]", "!<tag:x> RedCat"]
)
def test_a_yaml_node_is_refused_in_a_field_that_is_not_free(text: str) -> None:
    with pytest.raises(Refused) as caught:
        frontmatter.refuse_yaml_nodes("to", read(f"---\nto: {text}\n---\n")[0]["to"])
    assert caught.value.refusal == Refusal(
        "yaml-node", "line 2: to: YAML anchors, aliases and tags are not allowed", "write the value itself", "to", 2
    )


def test_a_yaml_node_is_refused_in_a_list_as_well() -> None:
    with pytest.raises(Refused):
        frontmatter.refuse_yaml_nodes("to", read("---\nto:\n- RedCat\n- *a\n---\n")[0]["to"])


@pytest.mark.parametrize("text", ["**/*.py", "*.py", "*", "&amp;", "!important", "!", "a &b", "@x", "R&D"])
def test_a_value_that_only_resembles_a_yaml_node_passes(text: str) -> None:
    frontmatter.refuse_yaml_nodes("x", read(f"---\nx: {text}\n---\n")[0]["x"])


BOMB = "a: &a [lol]\n" + "".join(
    f"{k}: &{k} [*{p},*{p},*{p},*{p},*{p},*{p},*{p},*{p},*{p}]\n" for p, k in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "lines",
    [
        BOMB,
        "x: " + "[" * 32_000 + "\n",
        "x: " + "[" * 8_000 + "\n",
        "x: " + "[" * 4_000 + "]" * 4_000 + "\n",
        "x: " + "{a: " * 2_000 + "\n",
        "x: " + '"' * 8_000 + "\n",
        "x: " + "'" * 8_000 + "\n",
        "x: " + "'," * 4_000 + "\n",
        "x: " + 'a"' * 4_000 + "\n",
        'x: "' + "\\" * 8_000 + '"\n',
        "x: " + "a," * 4_000 + "\n",
        "x: |\n" + " \n" * 4_000,
        "x:\n" + "-\n" * 4_000,
        "x: " + "!" * 8_000 + "\n",
        "x: " + "&" * 8_000 + "\n",
        "x:" + " " * 8_000 + "\n",
        "x" + " " * 8_000 + "\n",
        "".join(f"k{n}:\n" for n in range(1_200)),
    ],
    ids=lambda lines: lines[:6],
)
def test_hostile_front_matter_is_answered_at_once(lines: str) -> None:
    import yaml  # noqa: F401 - the first import is not what is measured

    data = f"---\n{lines}---\n".encode()
    began = time.process_time()
    try:
        fields, _ = frontmatter.read(data, limit=LIMIT)
        for key, field in fields.items():
            frontmatter.as_list(field)
            frontmatter.refuse_yaml_nodes(key, field)
    except Refused:
        pass
    assert time.process_time() - began < 0.05


@given(st.binary(max_size=200))
@example(b"---\nx: '\n---\n")
@example(b"---\nx: |\n\t\n---\n")
def test_whatever_bytes_are_dropped_they_are_read_or_refused(data: bytes) -> None:
    for dropped in (data, b"---\n" + data + b"\n---\n", b"---\nx: " + data + b"\n---\n"):
        for fenced in (True, False):
            try:
                fields, _ = frontmatter.read(dropped, limit=LIMIT, fenced=fenced)
            except Refused:
                continue
            for field in fields.values():
                frontmatter.as_list(field)


# --- what gitmaild writes


@given(written)
def test_a_scalar_is_read_back_by_this_module_and_by_yaml(text: str) -> None:
    line = f"x: {frontmatter.scalar(text)}\n"
    assert values(line) == {"x": text}
    assert yaml.load(line, Loader=yaml.CSafeLoader) == {"x": text}


@given(st.lists(written, min_size=1, max_size=4).map(tuple))
def test_a_list_is_read_back_by_this_module_and_by_yaml(found: tuple[str, ...]) -> None:
    flow, below = frontmatter.write([("x", found)]), frontmatter.write_lines("x", found)
    for lines in (flow, below):
        assert frontmatter.as_list(read(f"---\n{lines}---\n")[0]["x"]) == found
        assert yaml.load(lines, Loader=yaml.CSafeLoader) == {"x": list(found)}


def test_an_empty_list_stays_visible() -> None:
    assert frontmatter.write([("to", ())]) == "to: []\n"


def test_what_needs_no_quotes_gets_none() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    assert frontmatter.write(
        [
            ("from", "GreenCastle"),
            ("to", ("RedCat", "a@b")),
            ("ack_required", False),
            ("line", 3),
            ("created", moment),
            ("subject", "a: b"),
        ]
    ) == (
        "from: GreenCastle\n"
        "to: [RedCat, a@b]\n"
        "ack_required: false\n"
        "line: 3\n"
        "created: 2026-01-01T00:00:00.000000Z\n"
        'subject: "a: b"\n'
    )


@given(
    st.dictionaries(st.text("abcxyz059_-", max_size=12).map("x".__add__), written, max_size=5),
    any_text.filter(lambda t: "\0" not in t),
)
def test_fields_and_body_are_read_back(fields: dict[str, str], body: str) -> None:
    found, rest = read(frontmatter.fence(frontmatter.write(fields.items()), body))
    assert ({key: field.value for key, field in found.items()}, rest) == (fields, body)
