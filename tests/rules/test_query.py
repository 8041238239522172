"""What a query means, and what is said about one that means nothing."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitmaild.model.errors import Refused
from gitmaild.model.search import Among, And, Between, Not, Or, Phrase, Prefix, Query, State, Term, leaves
from gitmaild.rules.document import microseconds
from gitmaild.rules.query import DEEPEST, FIELDS, LONGEST, MOST_TERMS, parse, resolve

NOW = datetime(2026, 1, 10, 12, 30, tzinfo=UTC)


def _w(text: str, field: str = "") -> Term:
    return Term(field, text)


def _k(text: str) -> Term:
    return Term("keys", text)


def _day(text: str) -> int:
    return microseconds(datetime.fromisoformat(text).replace(tzinfo=UTC))


_EVER, _NEVER = -(2**62), 2**62

MEANINGS: list[tuple[str, Query]] = [
    ("auth", _w("auth")),
    ("auth token", And((_w("auth"), _w("token")))),
    ("auth AND token", And((_w("auth"), _w("token")))),
    ("auth and token", And((_w("auth"), _w("and"), _w("token")))),
    ("a b OR c d", Or((And((_w("a"), _w("b"))), And((_w("c"), _w("d")))))),
    ("a (b OR c)", And((_w("a"), Or((_w("b"), _w("c")))))),
    ("((a))", _w("a")),
    ("a a", _w("a")),
    ("a -b", And((_w("a"), Not(_w("b"))))),
    ("a NOT b", And((_w("a"), Not(_w("b"))))),
    ("a AND NOT b", And((_w("a"), Not(_w("b"))))),
    ("a -(b OR c)", And((_w("a"), Not(Or((_w("b"), _w("c"))))))),
    ('a -"b c"', And((_w("a"), Not(Phrase("", ("b", "c")))))),
    ("-from:RedCat a", And((Not(_k("from:redcat")), _w("a")))),
    ("NOT NOT a", Not(Not(_w("a")))),
    ('"token expired"', Phrase("", ("token", "expired"))),
    ("“token expired”", Phrase("", ("token", "expired"))),
    ('"AND OR"', Phrase("", ("and", "or"))),
    (
        'subject:auth body:"token expired" from:GreenCastle',
        And((_w("auth", "subject"), Phrase("body", ("token", "expired")), _k("from:greencastle"))),
    ),
    ("SUBJECT:Auth", _w("auth", "subject")),
    ("subject:(a OR b)", Or((_w("a", "subject"), _w("b", "subject")))),
    ("from:(RedCat OR BlueLake)", Or((_k("from:redcat"), _k("from:bluelake")))),
    ("to:@RedCat", _k("to:redcat")),
    ("to:RedCat@shop-web", _k("to:redcat@shop-web")),
    ("from:green*", Prefix("keys", "from:green")),
    ("from:NOT", _k("from:not")),
    ("thread:BR-123", _k("thread:br-123")),
    ("importance:HIGH", _k("importance:high")),
    ("has:ack", _k("has:ack")),
    ("has:attachments", _k("has:attachment")),
    ("is:unread", State("unread")),
    ("a -is:acked", And((_w("a"), Not(State("acked"))))),
    ("tag:HANDOFF", _k("tag:handoff")),
    ("tag:[br-123]", _k("tag:br-123")),
    ('tag:"needs review"', _k("tag:needs-review")),
    ("path:./src/api/", _k("path:src/api")),
    ("id:msg_20260101_00000001", _k("id:msg_20260101_00000001")),
    ("msg_20260101_00000001", Or((_k("id:msg_20260101_00000001"), _w("msg_20260101_00000001")))),
    ("auth*", Prefix("", "auth")),
    ("subject:auth*", Prefix("subject", "auth")),
    ("br-1*", Prefix("", "br-1")),
    ("a/b/c/d*", And((_w("a/b/c"), Prefix("", "b/c/d")))),
    ("foo,bar*", And((_w("foo"), Prefix("", "bar")))),
    ("認証*", _w("認証")),
    ('"auth*"', _w("auth")),
    ('"auth* now"', Phrase("", ("auth", "now"))),
    ("on:2026-01-05", Between(_day("2026-01-05"), _day("2026-01-06"))),
    ("on:today", Between(_day("2026-01-10"), _day("2026-01-11"))),
    ("on:Yesterday", Between(_day("2026-01-09"), _day("2026-01-10"))),
    ("on:3d", Between(_day("2026-01-07"), _day("2026-01-08"))),
    ("on:2026-01-05T23:30:00-01:00", Between(_day("2026-01-06"), _day("2026-01-07"))),
    ("before:2026-01-05", Between(_EVER, _day("2026-01-05"))),
    ("after:2026-01-05", Between(_day("2026-01-05"), _NEVER)),
    ("after:3d", Between(microseconds(NOW - timedelta(days=3)), _NEVER)),
    ("before:2h", Between(_EVER, microseconds(NOW - timedelta(hours=2)))),
    ("after:2026-01-05T10:00:00Z", Between(_day("2026-01-05T10:00"), _NEVER)),
    ("after:2026-01-05t10:00", Between(_day("2026-01-05T10:00"), _NEVER)),
    ("after:2026-01-05T10:00:00.123456Z", Between(_day("2026-01-05T10:00:00.123456"), _NEVER)),
    # text that looks like something else
    ("https://x.io/a", And((_w("https://x.io"), _w("x.io/a")))),
    ("C++", _w("c++")),
    ("--force", _w("--force")),
    ("src/api/routes.py", And((_w("src/api/routes"), _w("api/routes.py")))),
    ("C:\\work\\api", _w("c:/work/api")),
    ("std::vector", _w("std::vector")),
    ("localhost:8080", _w("localhost:8080")),
    ("line:42:7", _w("line:42:7")),
    ("12:30", _w("12:30")),
    ("routes.py:42", _w("routes.py:42")),
    ("error: timeout", And((_w("error"), _w("timeout")))),
    ("foo()", _w("foo")),
    ("parse(x).y", Phrase("", ("parse", "x", "y"))),
    ("HEAD~1", _w("head~1")),
    ("auth~", _w("auth")),
    ("auth^2", Phrase("", ("auth", "2"))),
    ("why?", _w("why")),
]

# (query, column, what is said)
MALFORMED = [
    # the inputs that Whoosh's own parser answers with something else, or with nothing
    ("nosuch:value", 1, "unknown field 'nosuch'"),
    ("from:", 1, "from: has no value"),
    ("OR", 1, "OR has nothing before it"),
    ("\\", 1, "holds no letter and no digit"),
    ("a:b:c", 1, "unknown field 'a'"),
    ("NOT", 1, "NOT has nothing behind it"),
    ("subject:", 1, "subject: has no value"),
    ('"token expired', 1, "never closed"),
    ("(auth OR cache", 1, "never closed"),
    ("auth)", 5, "')' closes nothing"),
    ("auth AND", 6, "AND has nothing behind it"),
    ("ts:[garbage TO 2026]", 1, "unknown field 'ts'; did you mean on?"),
    ("ts:[last week TO]", 1, "unknown field 'ts'; did you mean on?"),
    ("ts:2026-13-45", 1, "unknown field 'ts'; did you mean on?"),
    ("*path*", 1, "* cannot begin a word"),
    ("*a*e*", 1, "* cannot begin a word"),
    ("*oken", 1, "* cannot begin a word"),
    ("t?k*n*", 4, "* can only end a word"),
    # and more
    ("", 1, "nothing to look for"),
    (" \t\n", 1, "nothing to look for"),
    ("form:RedCat", 1, "unknown field 'form'; did you mean from?"),
    ("a form:RedCat", 3, "unknown field 'form'; did you mean from?"),
    ("sender:RedCat", 1, "did you mean from?"),
    ("since:3d", 1, "did you mean after?"),
    ("bcc:RedCat", 1, "blind recipients"),
    ('nosuch:"a b"', 1, "unknown field"),
    ("nosuch:(a)", 1, "unknown field"),
    ("subject: auth", 1, "subject: has no value"),
    ("a from:", 3, "from: has no value"),
    ("from:to:RedCat", 1, "from: has no value"),
    ("from:(to:RedCat)", 7, "stands inside from:"),
    ("AND a", 1, "AND has nothing before it"),
    ("a OR", 3, "OR has nothing behind it"),
    ("a OR OR b", 3, "OR has nothing behind it"),
    ("a AND OR b", 3, "AND has nothing behind it"),
    ("(a OR) b", 4, "OR has nothing behind it"),
    ("(OR a)", 2, "OR has nothing before it"),
    ("(a", 1, "never closed"),
    ("a (b (c)", 3, "never closed"),
    ("()", 1, "nothing between"),
    ("a )", 3, "closes nothing"),
    ("-", 1, "holds no letter"),
    ("a - b", 3, "holds no letter"),
    ("a -> b", 3, "holds no letter"),
    ("subject:-", 9, "holds no letter"),
    ("NOT " * (DEEPEST + 1) + "a", 4 * DEEPEST + 1, "deep"),
    ("a && b", 3, "holds no letter"),
    ('""', 1, "holds no letter"),
    ('subject:"!"', 9, "holds no letter"),
    ('5"', 2, "never closed"),
    ("-a", 1, "only says what to leave out"),
    ("NOT (a b)", 1, "only says what to leave out"),
    ("a OR -b", 1, "only says what to leave out"),
    ("-is:read", 1, "only says what to leave out"),
    ("au*", 1, "at least 3 characters"),
    ("a au*", 3, "at least 3 characters"),
    ("from:re*", 6, "at least 3 characters"),
    ("a*b", 2, "* can only end a word"),
    ("src/**/x.py", 5, "* can only end a word"),
    ("path:*", 6, "* cannot begin a word"),
    ("importance:hgih", 12, "cannot be 'hgih'; did you mean high?"),
    ("is:unred", 4, "did you mean unread?"),
    ("has:nothing", 5, "cannot be 'nothing'"),
    ("on:2026-13-01", 4, "bad date '2026-13-01'"),
    ("on:2026-02-30", 4, "bad date"),
    ("before:tomorrow", 8, "bad date"),
    ("after:9999-12-31T23:59:59-14:00", 7, "bad date"),
    ("on:9999-12-31", 4, "bad date"),
    ("after:999999w", 7, "bad date"),
    ("after:٣d", 7, "bad date"),
    ("path:/", 6, "path: has no value"),
    ("tag:[]", 5, "tag: has no value"),
    ("x" * (LONGEST + 1), LONGEST + 1, "at most 2,000 characters"),
    ("a " * (MOST_TERMS + 1), 2 * MOST_TERMS + 1, "at most 32 words"),
    ('"' + "a " * (MOST_TERMS + 1) + '"', 1, "at most 32 words"),
    ("(" * (DEEPEST + 1) + "a" + ")" * (DEEPEST + 1), DEEPEST + 1, "deep"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "meaning"), MEANINGS)
def test_a_query_means_what_it_says(text: str, meaning: Query) -> None:
    assert parse(text, NOW) == meaning


@pytest.mark.parametrize(("text", "column", "words"), MALFORMED)
def test_a_malformed_query_is_refused_and_told_where(text: str, column: int, words: str) -> None:
    with pytest.raises(Refused) as caught:
        parse(text, NOW)
    refusal = caught.value.refusal
    assert words in refusal.reason
    assert refusal.reason.startswith(f"column {column}: ")
    assert refusal.mend.startswith(f"at column {column}: ")
    assert (refusal.code, refusal.field) == ("bad-query", "query")


def test_the_limits_themselves_are_allowed() -> None:
    parse(" ".join(f"w{n}" for n in range(MOST_TERMS)), NOW)
    parse("(" * DEEPEST + "a" + ")" * DEEPEST, NOW)
    parse("x" * LONGEST, NOW)


def test_every_field_is_understood() -> None:
    values = {"importance": "high", "has": "ack", "is": "read", "before": "today", "after": "today", "on": "today"}
    for field in FIELDS:
        parse(f"{field}:{values.get(field, 'some')}", NOW)


def test_states_are_resolved_wherever_they_stand() -> None:
    asked: list[str] = []

    def state(name: str) -> frozenset[str]:
        asked.append(name)
        return frozenset({f"shop/{name}"})

    query = parse("a (is:unread OR b) -is:acked", NOW)
    assert resolve(query, state) == And(
        (_w("a"), Or((Among(frozenset({"shop/unread"})), _w("b"))), Not(Among(frozenset({"shop/acked"}))))
    )
    assert asked == ["unread", "acked"]


def test_leaves_tell_what_is_left_out() -> None:
    assert list(leaves(parse("a -(b OR -c)", NOW))) == [(_w("a"), False), (_w("b"), True), (_w("c"), False)]


_pieces = st.sampled_from(
    ["a", "auth", "AND", "OR", "NOT", "-", "(", ")", '"', "from:", "RedCat", "on:", "2026-01-05", "*", "abc*", ":", "/", "~", "^", "\\", "認証", " ", "é", "🚀", "is:", "unread", "has:ack", "?", "[", "]", "tag:", "nosuch:", "\0", "\u202e"]
)  # fmt: skip


@given(
    st.lists(st.tuples(_pieces, st.sampled_from(["", " "])), max_size=14).map(lambda found: "".join(a + b for a, b in found))
)
def test_any_text_is_understood_or_refused_at_a_column_of_its_own(text: str) -> None:
    try:
        query = parse(text, NOW)
    except Refused as error:
        column = int(error.refusal.reason.split(" ", 2)[1].rstrip(":"))
        assert 1 <= column <= len(text) + 1
    else:
        assert list(leaves(query))


@given(st.text(max_size=60))
def test_no_text_at_all_breaks_it(text: str) -> None:
    try:
        parse(text, NOW)
    except Refused as error:
        assert error.refusal.code == "bad-query"
