"""Rows 39 to 53: front matter that is wrong, hostile or merely surprising, from the drop to the note about it."""

import os
import time

import pytest

from tests.faults.moments import refused
from tests.post import Post


@pytest.fixture
def office(post: Post) -> Post:
    post.agents("GreenCastle", "RedCat", "BlueLake")
    return post


def _drop(post: Post, text: str | bytes) -> None:
    post.drop_text("GreenCastle", text, name="x.md")
    post.settle()


def _header(lines: str, body: str = "hello\n") -> str:
    return f"---\n{lines}---\n{body}"


def _delivered(post: Post, agent: str = "RedCat") -> str:
    """The one message in an agent's inbox."""
    (name,) = post.names(agent)
    return (post.desk(agent) / "inbox" / name).read_bytes().decode()


def _lines(text: str) -> list[str]:
    return text.split("---\n")[1].splitlines()


HOSTILE = [
    "../../etc/cron.d/x",
    "a/b",
    "..",
    ".git",
    "%2e%2e",
    "/etc/passwd",
    "Red" * 100,
    "ＲedCat",
    "Red\u0421at",
    "Red Cat",
    "RedCat@../x",
    "RedCat@",
    "-rf",
    "~root",
    "C:\\x",
]


@pytest.mark.parametrize("field", ["to", "cc", "bcc"])
@pytest.mark.parametrize("name", HOSTILE)
def test_f39_a_hostile_address_is_refused_and_becomes_no_path(office: Post, field: str, name: str) -> None:
    before = {p for p in office.top.rglob("*") if "agents" not in p.parts and "mailbox.git" not in p.parts}
    _drop(office, _header(f"to: RedCat\n{field}: {name}\n" if field != "to" else f"to: {name}\n"))
    assert f"{field}: bad agent name " in refused(office, "GreenCastle", "x.md", "bad-address")
    after = {p for p in office.top.rglob("*") if "agents" not in p.parts and "mailbox.git" not in p.parts}
    assert after == before
    agents = {path.split("/")[2] for path in office.tree() if path.startswith("shop/agents/")}
    assert agents <= {"GreenCastle", "RedCat", "BlueLake", "Overseer"}


@pytest.mark.parametrize("value", ["", "[]", "''", ", ,"])
def test_f39_an_empty_address_is_no_recipient(office: Post, value: str) -> None:
    _drop(office, _header(f"to: {value}\nsubject: x\n"))
    assert "no recipient" in refused(office, "GreenCastle", "x.md", "no-recipient")


@pytest.mark.parametrize(("field", "code"), [("thread_id", "bad-thread"), ("in_reply_to", "bad-id")])
@pytest.mark.parametrize("value", ["a/b", "../x", "..", '"a\\nb"', "x" * 5000, ".hidden", "msg_2026_x/../y", "-x"])
def test_f40_an_id_that_is_no_id_is_refused(office: Post, field: str, code: str, value: str) -> None:
    _drop(office, _header(f"to: RedCat\n{field}: {value}\n"))
    refused(office, "GreenCastle", "x.md", code)


@pytest.mark.parametrize("field", ["thread_id", "in_reply_to", "request_id", "subject"])
@pytest.mark.parametrize(("byte", "code"), [('"a\\u0000b"', "control-character"), ("a\0b", "nul-byte")])
def test_f40_no_field_holds_a_nul(office: Post, field: str, byte: str, code: str) -> None:
    _drop(office, _header(f"to: RedCat\n{field}: {byte}\n"))
    refused(office, "GreenCastle", "x.md", code)


def test_f40_a_request_id_of_any_words_is_no_path(office: Post) -> None:
    _drop(office, _header('to: RedCat\nsubject: x\nrequest_id: "../../../evil\\n.git"\n'))
    assert office.inbox("RedCat") == ["GreenCastle: x"]
    assert [path for path in office.tree() if "evil" in path or ".git" in path] == []
    assert len(office.log()[-1].splitlines()) == 1
    office.fsck()


def test_f41_a_bounce_names_only_who_failed_and_the_rest_have_their_mail(office: Post) -> None:
    _drop(office, _header("to: RedCatt, RedCat\ncc: BlueLak, BlueLake\nsubject: lunch\n"))
    assert office.inbox("RedCat") == office.inbox("BlueLake") == ["GreenCastle: lunch"]
    note = _delivered(office, "GreenCastle").partition("\n---\n")[2]
    assert "did you mean RedCat?" in note and "did you mean BlueLake?" in note
    assert note.count("- ") == 2
    assert (office.rejected("GreenCastle"), "status: partly" in office.sent("GreenCastle")["x"]) == ({}, True)
    office.check_exactly_once()


def test_f41_where_nobody_is_known_the_file_is_refused(office: Post) -> None:
    _drop(office, _header("to: RedCatt\n"))
    assert "no agent 'RedCatt'; did you mean RedCat?" in refused(office, "GreenCastle", "x.md", "unknown-agent")


def test_f42_more_recipients_than_the_limit_are_refused(office: Post) -> None:
    names = ", ".join(f"A{chr(97 + n // 26)}{chr(97 + n % 26)}Cat" for n in range(101))
    _drop(office, _header(f"to: {names}\n"))
    assert "101 recipients; limit 100" in refused(office, "GreenCastle", "x.md", "too-many-recipients")


def test_f42_ten_thousand_recipients_are_more_than_a_front_matter(office: Post) -> None:
    _drop(office, _header(f"to: {', '.join(['RedCat'] * 10_000)}\n"))
    assert "limit 8192" in refused(office, "GreenCastle", "x.md", "front-matter-too-long")


def test_f42_who_is_named_again_and_again_gets_one_copy(office: Post) -> None:
    _drop(office, _header("to: RedCat, RedCat, everyone\ncc:\n- RedCat\n- BlueLake\nbcc: RedCat\nsubject: once\n"))
    assert office.inbox("RedCat") == office.inbox("BlueLake") == ["GreenCastle: once"]
    office.check_exactly_once()


BOMB = "".join(f"{chr(97 + n)}: &{chr(97 + n)} [{','.join([f'*{chr(96 + n)}'] * 9) if n else 'lol'}]\n" for n in range(9))
NODES = [BOMB, "x: &a b\n", "x: *a\n", "x: !!python/object/apply:os.system [touch evil]\n", "x: !<tag:y> z\n"]


@pytest.mark.parametrize("lines", NODES[:3])
def test_f43_aliases_and_anchors_are_refused_at_once(office: Post, lines: str) -> None:
    began = time.process_time()
    _drop(office, _header(f"to: RedCat\n{lines}"))
    assert time.process_time() - began < 2
    assert "YAML anchors, aliases and tags are not allowed" in refused(office, "GreenCastle", "x.md", "yaml-node")


@pytest.mark.parametrize("lines", NODES[3:])
def test_f44_tags_are_refused_and_nothing_is_made_of_them(office: Post, lines: str) -> None:
    _drop(office, _header(f"to: RedCat\n{lines}"))
    assert "YAML anchors, aliases and tags are not allowed" in refused(office, "GreenCastle", "x.md", "yaml-node")
    assert not os.path.exists("evil")


@pytest.mark.parametrize("text", ["!mine y", "!important", "*.py, **/*.md", "AT&T", "&amp;"])
def test_f44_marks_that_make_no_node_are_characters(office: Post, text: str) -> None:
    _drop(office, _header(f"to: RedCat\nx: {text}\nsubject: {text}\n"))
    assert office.inbox("RedCat") == [f"GreenCastle: {text}"]
    office.check_mirrors()


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ("to: " + "[" * 2000 + "RedCat" + "]" * 2000 + "\n", "bad-address"),
        ("to: RedCat\nx:\n" + "".join(f"{' ' * n}- a:\n" for n in range(1, 100)), "stray-item"),
        ("to: RedCat\nx:\n" + "".join(f"{' ' * n}a:\n" for n in range(1, 100)), "nested"),
        ("to: RedCat\nx: " + "{a: " * 1500 + "\n  b: c\n", "nested"),
    ],
)
def test_f45_deep_nesting_costs_a_refusal_and_no_stack(office: Post, lines: str, code: str) -> None:
    if code == "stray-item":  # an item is what stands behind its dash, nested or not
        _drop(office, _header(lines + "subject: items\n"))
        assert (office.inbox("RedCat"), office.rejected("GreenCastle")) == (["GreenCastle: items"], {})
    else:
        _drop(office, _header(lines))
        refused(office, "GreenCastle", "x.md", code)
    office.check_mirrors()


@pytest.mark.parametrize("key", ["to", "subject", "unknown"])
def test_f46_a_key_that_comes_twice_is_refused_with_both_lines(office: Post, key: str) -> None:
    _drop(office, _header(f"to: RedCat\nsubject: x\nunknown: y\n{key.title()}: z\n"))
    first = {"to": 2, "subject": 3, "unknown": 4}[key]
    reason = refused(office, "GreenCastle", "x.md", "duplicate-key")
    assert f"line 5: duplicate key '{key}' (first on line {first})" in reason


@pytest.mark.parametrize(
    "subject", ["on", "0123", "12:30:45", "1e3", "null", "~", "2026-01-01", "0x1f", "=", "1_000", ".inf"]
)
def test_f47_no_word_becomes_a_number_a_time_or_a_truth(office: Post, subject: str) -> None:
    _drop(office, _header(f"to: RedCat\nsubject: {subject}\nticket: {subject}\n"))
    assert office.inbox("RedCat") == [f"GreenCastle: {subject}"]
    assert {f"ticket: {subject}", f'ticket: "{subject}"'} & set(_lines(_delivered(office)))


def test_f47_to_no_is_somebody_called_no(office: Post) -> None:
    _drop(office, _header("to: no\n"))
    assert "no agent 'no'" in refused(office, "GreenCastle", "x.md", "unknown-agent")


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"  \t\n"])
def test_f48_a_bom_crlf_and_blanks_are_accepted_and_the_body_keeps_its_bytes(office: Post, start: bytes, end: bytes) -> None:
    body = b"one\r\ntwo\n---\n\xef\xbb\xbfthree\r"
    _drop(office, start + b"---" + end + b"to: RedCat" + end + b"subject: ends" + end + b"---" + end + body)
    assert office.inbox("RedCat") == ["GreenCastle: ends"]
    (name,) = office.names("RedCat")
    assert (office.desk("RedCat") / "inbox" / name).read_bytes().endswith(b"\n---\n" + body)


@pytest.mark.parametrize("close", ["...\n", "", "----\n", " ---\n", "--\n"])
def test_f48_whatever_else_closes_nothing(office: Post, close: str) -> None:
    _drop(office, f"---\nto: RedCat\n{close}hello\n")
    refused(office, "GreenCastle", "x.md", "front-matter-open")


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (b"---\nto: RedCat\nsubject: \xff\n---\n", "not-utf8", "byte 0xff at offset 24 is not UTF-8"),
        (b"---\nto: RedCat\n---\nwords \xc3(\n", "not-utf8", "byte 0xc3 at offset 25 is not UTF-8"),
        (b"---\nto: RedCat\nsubject: \xed\xa0\x80\n---\n", "not-utf8", "byte 0xed at offset 24"),
        (b'---\nto: RedCat\nsubject: "\\ud800"\n---\n', "control-character", "subject: control character 0xd800"),
        (b"---\nto: RedCat\n---\na\0b\n", "nul-byte", "a NUL byte at offset 20"),
        (b"---\nto: RedCat\nsubject: a\x1b[2Jb\n---\n", "control-character", "subject: control character 0x1b"),
        (b"---\nto: RedCat\nx: a\x07b\n---\n", "control-character", "x: control character 0x07"),
        (b"---\nto: RedCat\nsubject: a\rb\n---\n", "control-character", "subject: control character 0x0d"),
    ],
)
def test_f49_bytes_that_are_no_text_are_refused_with_their_place(office: Post, text: bytes, code: str, words: str) -> None:
    _drop(office, text)
    assert words in refused(office, "GreenCastle", "x.md", code)
    assert (office.desk("GreenCastle") / "rejected" / "x.md").read_bytes() == text
    office.fsck()


@pytest.mark.parametrize("name", ["RedCat", "Overseer", "Postmaster", "greencastle", "GreenCastle@shop"])
def test_f50_nobody_speaks_for_another(office: Post, name: str) -> None:
    _drop(office, _header(f"from: {name}\nto: BlueLake\n"))
    assert f"from: names {name!r}, but this is GreenCastle" in refused(office, "GreenCastle", "x.md", "not-your-desk")


@pytest.mark.parametrize(
    "subject",
    [
        "Signed-off-by: RedCat <r@x>",
        "Command: message cmd_20260101_00000000",
        "x Message-Id: msg_20260101_00000000",
        '"tab\\tCommand: register cmd_20260101_00000000"',
        "Accepted: 2099-01-01T00:00:00.000000Z",
        "x\u2028Command: retire cmd_20260101_00000000",
        "x\u0085Accepted: 2099-01-01T00:00:00.000000Z",
    ],
)
def test_f51_no_subject_forges_a_trailer(office: Post, subject: str) -> None:
    _drop(
        office, _header(f"to: RedCat\nsubject: {subject}\n", "hi\n\nCommand: retire cmd_20260101_00000001\nTo: BlueLake\n")
    )
    assert len(office.inbox("RedCat")) == 1 and office.inbox("BlueLake") == []
    said = office.git("log", "-1", "--format=%(trailers)", "main").splitlines()
    keys = "Command Project Drop Message-Id Thread-Id From To Result Accepted".split()
    assert sorted(line.partition(":")[0] for line in said if line) == sorted(keys)
    trailers = office.commits()[-1][1]
    assert trailers["Command"].startswith("message ") and trailers["Accepted"].startswith("2026-01-01")
    assert "00000000" not in trailers["Command"] + trailers["Message-Id"]
    office.crash()
    office.settle()
    assert len(office.inbox("RedCat")) == 1
    office.check_mirrors()


@pytest.mark.parametrize("subject", ['"a\\nCommand: register x"', "|\n  a\n  b"])
def test_f51_a_subject_of_two_lines_is_refused(office: Post, subject: str) -> None:
    _drop(office, _header(f"to: RedCat\nsubject: {subject}\n"))
    assert "subject: is one line" in refused(office, "GreenCastle", "x.md", "long-subject")


def test_f51_a_subject_has_its_limit(office: Post) -> None:
    _drop(office, _header(f"to: RedCat\nsubject: {'é' * 201}\n"))
    assert "201 characters; limit 200" in refused(office, "GreenCastle", "x.md", "long-subject")


@pytest.mark.parametrize("name", ["Postmaster", "Overseer"])
def test_f51_a_reserved_name_is_nobodys_desk(office: Post, name: str) -> None:
    office.drop(name, name="join.md", kind="register")
    for _ in range(3):
        office.turn()
    assert [s for s in office.log() if name in s and "found" not in s] == []
    assert office.alarms() == ["forged"]
    office.drop("GreenCastle", to="RedCat", subject="all the same")
    office.turn()
    assert office.inbox("RedCat") == ["GreenCastle: all the same"]


def test_f52_the_same_request_again_is_one_message_and_the_first_answer(office: Post) -> None:
    for stem in ("first", "again", "later"):
        office.drop("GreenCastle", name=f"{stem}.md", to="RedCat", subject="once", request_id="r-1")
        office.settle()
    assert office.inbox("RedCat") == ["GreenCastle: once"]
    sent = office.sent("GreenCastle")
    ids = {line for stem in ("first", "again", "later") for line in sent[stem].splitlines() if line.startswith("id: ")}
    assert len(ids) == 1
    office.drop("GreenCastle", "other words\n", name="other.md", to="RedCat", subject="once", request_id="r-1")
    office.settle()
    assert office.rejected("GreenCastle") == {"other.md": "request-id-used"}
    assert office.inbox("RedCat") == ["GreenCastle: once"]
    # Another agent's request ids are its own.
    office.drop("BlueLake", name="mine.md", to="RedCat", subject="mine", request_id="r-1")
    office.settle()
    assert office.inbox("RedCat") == ["GreenCastle: once", "BlueLake: mine"]
    office.check_exactly_once()


def test_f52_the_same_request_twice_in_one_pass_is_one_message_as_well(office: Post) -> None:
    for stem in ("first", "again"):
        office.drop("GreenCastle", name=f"{stem}.md", to="RedCat", subject="once", request_id="r-1")
    office.settle()
    assert office.inbox("RedCat") == ["GreenCastle: once"]
    assert {"first", "again"} <= set(office.sent("GreenCastle"))


def test_f52_two_honest_drops_with_the_same_words_are_two_messages(office: Post) -> None:
    for _ in range(2):
        office.drop("GreenCastle", to="RedCat", subject="ping")
    office.settle()
    assert office.inbox("RedCat") == ["GreenCastle: ping"] * 2


def test_f53_answering_notes_ends_with_one_refusal_each_and_postmaster_begins_nothing(office: Post) -> None:
    _drop(office, _header("to: NoBody, RedCat\nsubject: x\n"))
    for _ in range(4):
        newest = _lines((office.desk("GreenCastle") / "inbox" / office.names("GreenCastle")[-1]).read_text())
        an_id = next(line.removeprefix("id: ") for line in newest if line.startswith("id: "))
        office.drop("GreenCastle", "thank you\n", in_reply_to=an_id)
        commits = len(office.log())
        office.settle()
        office.turn(60)
        assert len(office.log()) == commits + 1
    assert set(office.rejected("GreenCastle").values()) == {"no-reader"}
    assert len(office.rejected("GreenCastle")) == 4
    assert len(office.inbox("GreenCastle")) == 1 + 4
