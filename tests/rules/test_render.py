"""Messages to bytes and back: `parse_message(message(m)) == m`."""

from datetime import UTC, datetime

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gitmaild.model.errors import Refusal, Refused
from gitmaild.model.message import IMPORTANCE, Message
from gitmaild.rules import render
from gitmaild.rules.frontmatter import Field
from tests.build import a_message, any_text, written

addresses = st.lists(st.sampled_from(["RedCat", "BlueLake", "everyone", "RedCat@shop-web"]), max_size=4, unique=True).map(
    tuple
)
keys = st.text("abcxyz059_-", max_size=12).map("x".__add__) | st.sampled_from(
    ["date", "status", "recipients", "on", "yes", "tags"]
)
extras = st.dictionaries(keys, written | st.lists(written, min_size=1, max_size=3).map(tuple), max_size=3).map(
    lambda found: tuple(found.items())
)
files = st.lists(st.text("abXY059 ._+@()=-", max_size=20).map(lambda name: f"{'ab' * 32}/_{name}x"), max_size=3).map(tuple)
bodies = any_text.filter(lambda text: "\0" not in text) | st.sampled_from(
    ["a\r\nb\r\n", "---\nx\n---\n", "\n\n", "\ufeff", "-------- msg_x"]
)

messages = st.builds(
    Message,
    id=st.integers(0, 16**12).map("msg_20260101_{:08x}".format),
    thread_id=st.text("abcXYZ059._-", max_size=99).map("b".__add__),
    sender=st.sampled_from(["GreenCastle", "Overseer", "Postmaster"]),
    to=addresses,
    created=st.datetimes(min_value=datetime(1000, 1, 1), timezones=st.just(UTC)),
    importance=st.sampled_from(IMPORTANCE),
    ack_required=st.booleans(),
    subject=written | written.map("[br-1] [HANDOFF] ".__add__),
    cc=addresses,
    in_reply_to=st.just("") | st.just("msg_20260101_00000001"),
    attachments=files,
    extra=extras,
    body=bodies,
)


@given(messages)
def test_a_message_is_read_back_as_it_was(message: Message) -> None:
    assert render.parse_message(render.message(message)) == message


@given(messages)
def test_the_header_of_a_message_is_yaml(message: Message) -> None:
    loaded = yaml.load(render.header(message), Loader=yaml.CSafeLoader)
    assert (loaded["id"], loaded["subject"], loaded["to"]) == (message.id, message.subject, list(message.to))


def test_a_message_opens_with_its_id() -> None:
    message = a_message(cc=("BlueLake",), ack_required=True, extra=(("labels", ("a", "b")), ("date", "yesterday")))
    assert render.message(message) == (
        b"---\n"
        b"id: msg_20260101_00000001\n"
        b"thread_id: br-123\n"
        b"from: GreenCastle\n"
        b"to: [RedCat]\n"
        b"created: 2026-01-01T00:00:00.000000Z\n"
        b"importance: normal\n"
        b"ack_required: true\n"
        b'subject: "lunch?"\n'
        b"cc: [BlueLake]\n"
        b"labels:\n"
        b"- a\n"
        b"- b\n"
        b"date: yesterday\n"
        b"---\n"
        b"At noon.\n"
    )


def test_tags_of_the_subject_stand_behind_it() -> None:
    message = a_message(subject="RE: [HANDOFF] [br-123] [007] Auth API", cc=("BlueLake",))
    header = render.header(message)
    assert header.endswith(
        'subject: "RE: [HANDOFF] [br-123] [007] Auth API"\ntags: [HANDOFF, br-123, "007"]\ncc: [BlueLake]\n'
    )
    assert yaml.safe_load(header)["tags"] == ["HANDOFF", "br-123", "007"]
    assert render.parse_message(render.message(message)) == message


def test_a_message_from_before_there_were_tags_in_headers_is_read_as_ever() -> None:
    message = a_message(subject="[br-123] Auth API")
    old = render.message(message).replace(b"tags: [br-123]\n", b"")
    assert b"tags" not in old
    assert render.parse_message(old) == message


@pytest.mark.parametrize("subject", ["[br-123] Auth API", "Auth API"])
@pytest.mark.parametrize("own", ["mine, br-123", ("mine", "br-123"), ""])
def test_tags_of_the_sender_s_own_stand_as_they_were_written(subject: str, own: str | tuple[str, ...]) -> None:
    message = a_message(subject=subject, extra=(("labels", "x"), ("tags", own)))
    assert render.header(message).count("tags:") == 1
    assert render.parse_message(render.message(message)) == message


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"---\nid: x\n---\n", render.message(a_message()).replace(b"2026-01-01T", b"soon T")]
)
def test_bytes_that_gitmaild_did_not_write_are_no_message(data: bytes) -> None:
    with pytest.raises((Refused, KeyError, ValueError)):
        render.parse_message(data)


@pytest.mark.parametrize(
    ("field", "kept"), [(Field("a, b", 2), "a, b"), (Field("", 2, ("a", "b")), ("a", "b")), (Field("", 2), "")]
)
def test_an_unknown_field_is_kept_as_it_was_written(field: Field, kept: object) -> None:
    assert render.value(field) == kept


def test_a_refusal_is_told_to_a_program_and_to_a_reader() -> None:
    refusal = Refusal("bad-address", "to: bad agent name '..'", "use GreenCastle", "to", 2)
    assert render.why(refusal, file="note.md", at="2026-01-01T00:00:00.000000Z") == (
        b"---\n"
        b"status: refused\n"
        b"code: bad-address\n"
        b"file: note.md\n"
        b"reason: \"to: bad agent name '..'\"\n"
        b"mend: use GreenCastle\n"
        b"field: to\n"
        b"line: 2\n"
        b'at: "2026-01-01T00:00:00.000000Z"\n'
        b"---\n"
        b"\n"
        b"note.md: refused: to: bad agent name '..'; use GreenCastle (bad-address)\n"
    )


def test_a_refusal_of_no_field_and_no_line_names_neither() -> None:
    text = render.why(Refusal("empty-file", "empty file", "write one"), file="note.md", at="now").decode()
    assert "field:" not in text and "line:" not in text
