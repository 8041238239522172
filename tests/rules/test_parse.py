"""Dropped bytes to a command, or to the refusal that its sender gets."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitmaild.model.commands import Command, File, Register, Retire, Send
from gitmaild.model.errors import Refusal
from gitmaild.model.settings import Settings
from gitmaild.rules.fields import did_you_mean
from gitmaild.rules.parse import ignored, parse
from tests.build import a_drop, an_envelope

FIXTURES = Path(__file__).parents[2] / "fixtures"
ME = an_envelope()
ID = "msg_20260101_7b3dc3a7"


def parsed(lines: str, body: str = "", *, limits: Settings | None = None, fenced: bool = True) -> Command | Refusal:
    return parse(f"---\n{lines}\n---\n{body}".encode(), ME, limits or Settings(), fenced=fenced)


def sent(lines: str) -> Send:
    command = parsed(lines)
    assert isinstance(command, Send), command
    return command


def refused(lines: str, *, limits: Settings | None = None) -> tuple[str, str, int]:
    """(code, field, line)"""
    refusal = parsed(lines, limits=limits)
    assert isinstance(refusal, Refusal), refusal
    assert refusal.reason and refusal.mend
    assert "\n" not in refusal.reason and len(refusal.reason) < 1000
    return refusal.code, refusal.field, refusal.line


# --- messages


def test_a_drop_without_a_kind_is_a_message() -> None:
    assert parsed("to: RedCat\nsubject: lunch?", "At noon.\n") == Send(ME, ("RedCat",), subject="lunch?", body="At noon.\n")


def test_every_field_of_a_message_is_read() -> None:
    lines = (
        "kind: message\nto: RedCat, everyone\ncc:\n- BlueLake\nbcc: [Overseer]\nsubject: [br-123] Start\nthread_id: br-123\n"
        f"importance: URGENT\nack_required: yes\nin_reply_to: {ID}\nattachments: a b.txt, c.txt\nfrom: GreenCastle\n"
        "request_id: r1\ndate: yesterday\nlabels: x"
    )
    assert parsed(lines, "hi") == Send(
        an_envelope(request_id="r1"),
        ("RedCat", "everyone"),
        ("BlueLake",),
        ("Overseer",),
        subject="[br-123] Start",
        thread_id="br-123",
        importance="urgent",
        ack_required=True,
        in_reply_to=ID,
        attachments=("a b.txt", "c.txt"),
        extra=(("date", "yesterday"), ("labels", "x")),
        body="hi",
    )


SUBJECTS = (FIXTURES / "gastown-subjects.txt").read_text().splitlines()


def test_all_subjects_of_the_real_data_arrive_unchanged() -> None:
    arrived = [sent(f"to: RedCat\nsubject: {subject}").subject for subject in SUBJECTS]
    assert (len(arrived), arrived) == (1330, SUBJECTS)


@pytest.mark.parametrize(
    "to",
    ["RedCat, BlueLake", "[RedCat, BlueLake]", "\n- RedCat\n- BlueLake", '"RedCat", BlueLake', "RedCat, BlueLake, RedCat"],
)
def test_recipients_are_a_list_however_they_are_written(to: str) -> None:
    assert sent(f"to: {to}").to == ("RedCat", "BlueLake")


@pytest.mark.parametrize("key", ["cc", "bcc", "in_reply_to"])
def test_a_message_needs_no_to_where_something_else_says_whom_it_is_for(key: str) -> None:
    assert sent(f"{key}: {ID if key == 'in_reply_to' else 'RedCat'}").to == ()


def test_a_message_may_have_no_subject_and_no_body() -> None:
    command = sent("to: RedCat")
    assert (command.subject, command.body) == (None, "")


def test_an_empty_subject_is_not_a_missing_one() -> None:
    assert sent("to: RedCat\nsubject:").subject == ""


@pytest.mark.parametrize("lines", ["subject: x", "to:", "to: []", "to: ,", 'to: ""', "kind: message"])
def test_a_message_for_nobody_is_refused(lines: str) -> None:
    assert refused(lines) == ("no-recipient", "to", 0)


def test_a_misspelt_to_is_pointed_at() -> None:
    refusal = parsed("subject: x\nTo_: RedCat")
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "no recipient; line 3 says to_: instead of to:"


BAD_ADDRESSES = ["../../etc/cron.d/x", "a/b", "..", ".git", "%2e%2e", "/etc/passwd", "x" * 300, "RedСat", "Red Cat", "RedCat2", "RedCat@", "@@shop",
                 "RedCat@a/b", "RedCat@Shop", "<RedCat>", "RedCat <red@cat>", "*", "~", "RedCat # my friend", "[RedCat", "[[RedCat]]",
                 "[RedCat], [BlueLake]", "{name: RedCat}", "!foo RedCat"]  # fmt: skip


@pytest.mark.parametrize("address", BAD_ADDRESSES)
@pytest.mark.parametrize("key", ["to", "cc", "bcc"])
def test_a_bad_address_is_refused_with_its_field_and_line(key: str, address: str) -> None:
    assert refused(f"subject: x\n{key}: {address}") == ("bad-address", key, 3)


@pytest.mark.parametrize("thread", ["../x", "a/b", "..", ".git", "-x", "a b", "br-1, br-2", "日本", "x" * 101, '"a\\nb"'])
def test_a_bad_thread_is_refused(thread: str) -> None:
    assert refused(f"to: RedCat\nthread_id: {thread}") == ("bad-thread", "thread_id", 3)


def test_an_empty_thread_is_none() -> None:
    assert sent("to: RedCat\nthread_id:").thread_id == ""


@pytest.mark.parametrize(
    "reply", ["", "../x", "br-123", "7b3dc3a7", ID.upper(), ID + "/", "x" * 5000, "msg_２０２６０１０１_7b3dc3a7"]
)
def test_a_bad_reply_is_refused(reply: str) -> None:
    assert refused(f"to: RedCat\nin_reply_to: {reply}") == ("bad-id", "in_reply_to", 3)


@pytest.mark.parametrize(
    "name",
    ["../secret", "/etc/passwd", "a/b", "..", ".", ".hidden", "-rf", "a\\b", "x.", "a:b", "a*", "~", "日本.txt", "x" * 201, '"a\\nb"', "$HOME", "a;b", "<a>"],
)  # fmt: skip
def test_an_attachment_that_is_no_bare_file_name_is_refused(name: str) -> None:
    assert refused(f"to: RedCat\nattachments: ok.txt, {name}") == ("bad-attachment", "attachments", 3)


@pytest.mark.parametrize("name", ["report.txt", "a b (1).txt", "v1+2=3@x.tar.gz", "x" * 200, "_", "CON"])
def test_an_attachment_is_a_bare_file_name(name: str) -> None:
    assert sent(f"to: RedCat\nattachments: {name}, {name}").attachments == (name,)


# --- one line


@pytest.mark.parametrize(
    ("subject", "read_as"),
    [
        ("a" * 200, "a" * 200),
        ("é" * 200, "é" * 200),
        ("|\n  one line", "one line\n"),
        (">\n  folded\n  line", "folded line\n"),
        ("&a *b !!c", "&a *b !!c"),
        ("Signed-off-by: Mallory", "Signed-off-by: Mallory"),
        ("yes", "yes"),
        ('"quoted"', "quoted"),
    ],
)
def test_a_subject_is_any_text_of_one_line(subject: str, read_as: str) -> None:
    assert sent(f"to: RedCat\nsubject: {subject}").subject == read_as


@pytest.mark.parametrize("subject", ["a" * 201, '"a\\nb"', "|\n  a\n  b", "|\n  a\n\n  Signed-off-by: b"])
def test_a_subject_of_several_lines_or_over_the_limit_is_refused(subject: str) -> None:
    assert refused(f"to: RedCat\nsubject: {subject}") == ("long-subject", "subject", 3)


def test_a_long_subject_is_told_its_length_and_the_limit() -> None:
    refusal = parsed("to: RedCat\nsubject: " + "a" * 201)
    assert isinstance(refusal, Refusal) and refusal.reason == "subject: 201 characters; limit 200"


@pytest.mark.parametrize("escaped", [r"a\u0000b", r"\e[2J", r"\ud800", r"a\rb", r"\x7f"])
@pytest.mark.parametrize("key", ["subject", "labels", "date", "request_id", "thread_id", "importance"])
def test_a_control_character_cannot_be_smuggled_in_as_an_escape(key: str, escaped: str) -> None:
    assert refused(f'to: RedCat\n{key}: "{escaped}"') == ("control-character", key, 3)


def test_a_control_character_cannot_be_smuggled_in_as_an_item() -> None:
    assert refused('to: RedCat\nlabels:\n- ok\n- "\\ud800"') == ("control-character", "labels", 3)


# --- words


@pytest.mark.parametrize("word", ["low", "normal", "high", "urgent", "HIGH", '"high"'])
def test_importance_is_one_of_four_words(word: str) -> None:
    assert sent(f"to: RedCat\nimportance: {word}").importance == word.strip('"').lower()


@pytest.mark.parametrize("word", ["", "very", "1", "urgent!", "low, high"])
def test_any_other_importance_is_refused(word: str) -> None:
    assert refused(f"to: RedCat\nimportance: {word}") == ("bad-importance", "importance", 3)


def test_a_misspelt_importance_is_answered_with_a_guess() -> None:
    refusal = parsed("to: RedCat\nimportance: urgnt")
    assert (
        isinstance(refusal, Refusal) and refusal.reason == "line 3: importance: 'urgnt' is not known; did you mean urgent?"
    )


@pytest.mark.parametrize(
    ("word", "meant"), [("true", True), ("yes", True), ("YES", True), ("false", False), ("no", False), ("'no'", False)]
)
def test_a_boolean_is_true_false_yes_or_no(word: str, meant: bool) -> None:
    assert sent(f"to: RedCat\nack_required: {word}").ack_required is meant


@pytest.mark.parametrize("word", ["", "1", "on", "off", "y", "maybe", "~", "null"])
def test_any_other_boolean_is_refused(word: str) -> None:
    assert refused(f"to: RedCat\nack_required: {word}") == ("bad-boolean", "ack_required", 3)


@pytest.mark.parametrize(
    ("kind", "guess"), [("mesage", "message"), ("Message", "message"), ("registr", "register"), ("zzz", "")]
)
def test_an_unknown_kind_is_refused_with_a_guess(kind: str, guess: str) -> None:
    refusal = parsed(f"to: RedCat\nkind: {kind}")
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.field, refusal.line) == ("unknown-kind", "kind", 3)
    assert (f"did you mean {guess}?" in refusal.reason) if guess else refusal.reason.endswith("is not known")


# --- what is the post office's to say


@pytest.mark.parametrize("key", ["id", "created", "ID"])
@pytest.mark.parametrize("kind", ["message", "register", "read"])
def test_what_the_post_office_sets_is_refused_from_a_sender(kind: str, key: str) -> None:
    assert refused(f"kind: {kind}\n{key}: {ID}") == ("not-yours-to-set", key.lower(), 3)


@pytest.mark.parametrize("name", ["RedCat", "greencastle", "Postmaster", "Overseer", "GreenCastle@shop", "", "on"])
def test_a_from_that_names_somebody_else_is_refused(name: str) -> None:
    assert refused(f"to: RedCat\nfrom: {name}") == ("not-your-desk", "from", 3)


def test_a_from_that_names_the_desk_is_accepted() -> None:
    assert sent("from: GreenCastle\nto: RedCat").extra == ()


def test_a_request_id_goes_into_the_envelope() -> None:
    assert sent("to: RedCat\nrequest_id: r-1").envelope == an_envelope(request_id="r-1")


def test_a_request_id_has_at_most_two_hundred_characters() -> None:
    assert refused("to: RedCat\nrequest_id: " + "r" * 201) == ("bad-request-id", "request_id", 3)


@pytest.mark.parametrize("text", ["&a RedCat", "*a", "!!str RedCat", "!!python/object/apply:os.system [ls]"])
@pytest.mark.parametrize("key", ["to", "thread_id", "importance", "labels", "kind"])
def test_a_yaml_node_outside_of_free_text_is_refused(key: str, text: str) -> None:
    code, field, line = refused(f"cc: RedCat\n{key}: {text}")
    assert (field, line) == (key, 3)
    assert code == ("unknown-kind" if key == "kind" else "yaml-node")


@pytest.mark.parametrize(
    "key", ["kind", "from", "subject", "thread_id", "importance", "ack_required", "in_reply_to", "request_id", "date"]
)
def test_a_field_of_one_value_is_no_list(key: str) -> None:
    assert refused(f"to: RedCat\n{key}:\n- a")[1:] == (key, 3)


# --- unknown fields


def test_unknown_fields_are_kept_in_their_order_as_they_were_written() -> None:
    command = sent("zeta: 1\nto: RedCat\nlabels: [a, b]\npaths:\n- x, y\n- z\nempty:\ndate: 2026-13-99")
    assert command.extra == (
        ("zeta", "1"),
        ("labels", "[a, b]"),
        ("paths", ("x, y", "z")),
        ("empty", ""),
        ("date", "2026-13-99"),
    )


def test_unknown_fields_are_reported_each_with_the_field_it_resembles() -> None:
    command = sent("to: RedCat\nthread-id: br-1\nPriority: high\nimportence: high\ndate: today\nsubjct: x")
    assert ignored("message", command.extra) == (
        "thread-id; did you mean thread_id?",
        "priority",
        "importence; did you mean importance?",
        "subjct; did you mean subject?",
    )


def test_a_field_of_another_kind_is_unknown_to_this_one() -> None:
    command = parsed("kind: register\nsubject: x")
    assert isinstance(command, Register) and ignored("register", command.extra) == ("subject",)


def test_a_thousand_unknown_fields_are_reported_at_once() -> None:
    command = sent("to: RedCat\n" + "\n".join(f"subj{n}:" for n in range(800)))
    began = time.process_time()
    assert len(ignored("message", command.extra)) == 800
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    ("word", "guess"),
    [
        ("RedCatt", "; did you mean RedCat?"),
        ("redcat", "; did you mean RedCat?"),
        ("red-cat", "; did you mean RedCat?"),
        ("Zzzzz", ""),
    ],
)
def test_case_and_dashes_do_not_count_in_a_guess(word: str, guess: str) -> None:
    assert did_you_mean(word, ["BlueLake", "RedCat"]) == guess


# --- other kinds


def test_a_registration_is_read() -> None:
    lines = "kind: register\nname: GreenCastle\nprogram: Claude Code\nmodel: Opus 4.5\ntask_description: |\n  one\n  two"
    assert parsed(lines) == Register(ME, "Claude Code", "Opus 4.5", "one\ntwo")


def test_a_registration_may_say_nothing() -> None:
    assert parsed("kind: register") == Register(ME)


def test_an_empty_field_of_a_registration_empties_it() -> None:
    assert parsed("kind: register\nprogram:") == Register(ME, program="")


def test_a_registration_under_another_name_is_refused() -> None:
    assert refused("kind: register\nname: RedCat") == ("not-your-desk", "name", 3)


@pytest.mark.parametrize("key", ["program", "model", "task_description"])
def test_a_registration_has_a_thousand_characters_a_field(key: str) -> None:
    assert isinstance(parsed(f"kind: register\n{key}: " + "x" * 1000), Register)
    assert refused(f"kind: register\n{key}: " + "x" * 1001) == ("too-long", key, 3)


def test_a_retirement_is_of_oneself_unless_it_names_another() -> None:
    assert parsed("kind: retire\nreason: done") == Retire(ME, "GreenCastle", "done")
    assert parsed("kind: retire\nagent: RedCat") == Retire(ME, "RedCat")


def test_a_retirement_of_a_path_is_refused() -> None:
    assert refused("kind: retire\nagent: ../x") == ("bad-address", "agent", 3)


@pytest.mark.parametrize(("kind", "folder"), [("read", "read"), ("ack", "acked")])
@pytest.mark.parametrize("ids", [f"{ID}, {ID}", f"[{ID}]", f"\n- {ID}"])
def test_messages_are_filed_by_their_ids_each_once(kind: str, folder: str, ids: str) -> None:
    assert parsed(f"kind: {kind}\nids: {ids}") == File(ME, folder, (ID,))


@pytest.mark.parametrize("lines", ["kind: read", "kind: read\nids:", "kind: ack\nids: []"])
def test_filing_nothing_is_refused(lines: str) -> None:
    assert refused(lines)[:2] == ("no-ids", "ids")


def test_filing_what_is_no_id_is_refused() -> None:
    assert refused(f"kind: read\nids: {ID}, ../x") == ("bad-id", "ids", 3)


def test_a_command_may_be_a_plain_yaml_file() -> None:
    assert parse(f"kind: read\nids: {ID}\n".encode(), ME, Settings(), fenced=False) == File(ME, "read", (ID,))


# --- limits


def test_a_file_of_exactly_the_limit_is_accepted() -> None:
    data = a_drop(to="RedCat")
    assert isinstance(parse(data, ME, Settings(message_limit=len(data))), Send)


def test_a_file_over_the_limit_is_refused_with_limit_and_size() -> None:
    data = a_drop(to="RedCat")
    refusal = parse(data, ME, Settings(message_limit=len(data) - 1))
    assert refusal == Refusal("too-large", f"{len(data)} bytes; limit {len(data) - 1}", "send less text, or attach files")


def test_front_matter_over_the_limit_is_refused() -> None:
    assert refused("to: RedCat\nx: " + "a" * 8192) == ("front-matter-too-long", "", 0)


def test_a_yaml_drop_has_the_limit_of_front_matter() -> None:
    refusal = parse(b"to: RedCat\nx: " + b"a" * 8192, ME, Settings(), fenced=False)
    assert isinstance(refusal, Refusal) and refusal.code == "front-matter-too-long"


def test_recipients_over_the_limit_are_refused_with_limit_and_count() -> None:
    refusal = parsed("to: RedCat, BlueLake\ncc: TestAgent", limits=Settings(recipient_limit=2))
    assert refusal == Refusal("too-many-recipients", "3 recipients; limit 2", "write to a group", "to")


def test_a_recipient_who_is_named_twice_counts_once() -> None:
    assert isinstance(parsed("to: RedCat, RedCat, BlueLake", limits=Settings(recipient_limit=2)), Send)


@given(st.binary(max_size=300))
def test_whatever_is_dropped_is_a_command_or_a_refusal(data: bytes) -> None:
    for dropped in (data, b"---\nto: RedCat\n" + data + b"\n---\n", b"---\nto: " + data + b"\n---\n"):
        answer = parse(dropped, ME, Settings())
        assert isinstance(answer, Send | Register | Retire | File | Refusal)


def test_a_deep_nest_is_refused_at_once() -> None:
    began = time.process_time()
    refusal = parse(b"---\nto: " + b"[" * 32_000 + b"\n---\n", ME, Settings())
    assert isinstance(refusal, Refusal)
    assert time.process_time() - began < 0.05


def test_an_alias_bomb_is_refused_at_once() -> None:
    bomb = "a: &a [lol]\n" + "".join(
        f"{k}: &{k} [*{p},*{p},*{p},*{p}]\n" for p, k in zip("abcdefgh", "bcdefghi", strict=True)
    )
    began = time.process_time()
    assert refused(f"to: RedCat\n{bomb}") == ("yaml-node", "a", 3)
    assert time.process_time() - began < 0.05
