"""The vocabulary says all that can be asked: by a file, by the command line, by the client."""

import inspect
import json
from collections import defaultdict
from typing import Any

import pytest

from gitmaild.adapters import cli
from gitmaild.adapters.client.commands import COMMANDS
from gitmaild.adapters.client.mailbox import Mailbox
from gitmaild.adapters.client.queries import QUERIES
from gitmaild.adapters.client.vocabulary import BODY, UNWRITTEN, Command, Parameter, Query, items, understood, written
from gitmaild.model.commands import KINDS, LISTS, Envelope
from gitmaild.model.errors import Refused
from gitmaild.model.settings import Settings
from gitmaild.rules.frontmatter import fence
from gitmaild.rules.parse import parse

ROWS: dict[str, Command | Query] = {**COMMANDS, **QUERIES}

# What the desk's own name says, and the singular of a list: no door needs them.
_SAID_OTHERWISE = {("register", "name"), ("contact-approve", "agent"), ("contact-deny", "agent")}
# For who installs, runs or repairs gitmaild on this machine.
_OF_THE_MACHINE = set("init serve verify rebuild service guard completion mcp token web".split())
# Words of the command line that stand for several rows, or for one with other words.
_GROUPS = {
    "slot": {"acquire_slot", "renew_slot", "release_slot"},
    "contact": {"contact_policy", "contact_request", "contact_approve", "contact_deny", "contacts"},
    "role": {"role_bind", "role_unbind", "roles"},
    "post": {"send"},
    "preset": {"role_bind", "group", "queue", "board"},
}


# --- nothing is left out


def test_every_kind_of_drop_and_every_field_of_it_can_be_asked_for() -> None:
    sayable: dict[str, set[str]] = defaultdict(set)
    for command in COMMANDS.values():
        for parameter in command.parameters:
            field = parameter.field or parameter.name
            if field not in (BODY, UNWRITTEN, "request_id"):
                sayable[command.kind].add(field)
    wanted = {kind: {f for f in fields if (kind, f) not in _SAID_OTHERWISE} for kind, fields in KINDS.items()}
    assert sayable == wanted


def test_lists_are_lists_on_both_sides() -> None:
    for command in COMMANDS.values():
        for parameter in command.parameters:
            assert (parameter.type == "list") == ((parameter.field or parameter.name) in LISTS), (command.name, parameter)


def test_every_word_of_the_command_line_is_in_the_vocabulary_or_of_the_machine() -> None:
    assert set(cli._COMMANDS) - _OF_THE_MACHINE - set(_GROUPS) <= set(ROWS)
    assert set(cli._COMMANDS) >= _OF_THE_MACHINE | set(_GROUPS)
    assert set.union(*_GROUPS.values()) <= set(ROWS)


def test_no_word_is_a_command_and_a_query() -> None:
    assert not COMMANDS.keys() & QUERIES.keys()


# --- the client's methods and the functions say the same


def defaults(parameters: tuple[Parameter, ...]) -> dict[str, Any]:
    return {p.name: inspect.Parameter.empty if p.required else p.default for p in parameters}


def arguments(function: Any, *without: str) -> dict[str, Any]:
    given = inspect.signature(function).parameters
    return {name: p.default for name, p in given.items() if name not in ("self", "desk", "attach", *without)}


@pytest.mark.parametrize("name", [name for name in ROWS if name in vars(Mailbox)])
def test_a_method_takes_what_the_vocabulary_says(name: str) -> None:
    assert arguments(vars(Mailbox)[name]) == defaults(ROWS[name].parameters)


def test_an_agents_day_has_methods_with_types() -> None:
    day = {"register", "send", "reply", "inbox", "read", "ack", "reserve", "renew", "release", "leases", "search", "thread"}
    assert day <= set(vars(Mailbox))


@pytest.mark.parametrize("name", QUERIES)
def test_what_answers_a_query_takes_what_the_vocabulary_says(name: str) -> None:
    assert arguments(QUERIES[name].ask) == defaults(QUERIES[name].parameters)


@pytest.mark.parametrize("name", ROWS)
def test_a_schema_is_json_and_says_every_parameter_in_words(name: str) -> None:
    schema = json.loads(json.dumps(ROWS[name].schema()))
    assert set(schema["required"]) <= set(schema["properties"])
    for said in schema["properties"].values():
        assert said["description"].endswith("."), said
        assert "default" not in said or isinstance(
            said["default"], {"integer": int, "number": float, "boolean": bool}.get(said["type"], str)
        )
    assert ROWS[name].about.endswith(".")


# --- how a request becomes a drop


def parsed(name: str, **given: Any) -> Any:
    lines, body = written(COMMANDS[name], given)
    return parse(fence(lines, body).encode(), Envelope("cmd_20260101_00000000", "shop", "RedCat"), Settings())


def test_what_is_given_is_what_is_understood() -> None:
    command = parsed(
        "send",
        to=["BlueLake", "GreenCastle"],
        subject='[br-1] "Start": *now*',
        body="---\nkind: retire\n---\nno header of this\n",
        importance="high",
        ack_within="5m",
        thread_id="br-1",
    )
    assert (command.to, command.subject) == (("BlueLake", "GreenCastle"), '[br-1] "Start": *now*')
    assert command.body == "---\nkind: retire\n---\nno header of this\n"
    assert (command.importance, command.ack_within, command.ack_required, command.thread_id) == ("high", 300, True, "br-1")


def test_defaults_and_none_are_not_written() -> None:
    assert written(COMMANDS["send"], {"to": "RedCat", "importance": "normal", "ack_required": False, "cc": None}) == (
        "to: [RedCat]\n",
        "",
    )


def test_a_text_for_a_list_is_read_as_in_a_file() -> None:
    assert items("RedCat, BlueLake") == ("RedCat", "BlueLake")
    assert items("src/{a,b}.py, docs/**") == ("src/{a,b}.py", "docs/**")
    assert items(["a, b.txt"]) == ("a, b.txt",)
    assert items({"id": "lease_1"}) == ("lease_1",)
    assert items([{"id": "lease_1"}, "lease_2"]) == ("lease_1", "lease_2")


@pytest.mark.parametrize(
    "name", [row.name for row in COMMANDS.values() if any(p.type == "list" and p.required for p in row.parameters)]
)
def test_a_list_that_is_missing_is_refused_and_never_means_all(name: str) -> None:
    refusal = parsed(name)
    assert refusal.code in ("no-ids", "no-paths", "no-agents"), refusal


@pytest.mark.parametrize(
    ("name", "given", "code"),
    [
        ("send", {"too": "RedCat"}, "unknown-argument"),
        ("send", {"to": "RedCat", "body": "\ud800"}, "not-utf8"),
        ("send", {"to": "RedCat", "subject": {"a": 1}}, "bad-argument"),
        ("send", {"to": "RedCat", "thread_id": ["a"]}, "bad-argument"),
    ],
)
def test_what_no_drop_can_say_is_refused(name: str, given: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as refused:
        written(COMMANDS[name], given)
    assert refused.value.code == code
    assert refused.value.mend


def test_a_near_miss_is_named() -> None:
    with pytest.raises(Refused, match="did you mean thread_id"):
        written(COMMANDS["send"], {"threadid": "x"})


# --- how a request becomes a question


def test_texts_are_read_as_numbers_and_flags_as_of_a_url() -> None:
    assert understood(QUERIES["inbox"], {"limit": "5", "urgent": "true", "bodies": "no", "since": None}) == {
        "limit": 5,
        "urgent": True,
        "bodies": False,
    }
    assert understood(QUERIES["leases"], {"soon": "5m"}) == {"soon": 300}


@pytest.mark.parametrize(
    ("name", "given", "code"),
    [
        ("inbox", {"limit": "many"}, "bad-argument"),
        ("inbox", {"limit": 1.5}, "bad-argument"),
        ("inbox", {"limit": -1}, "bad-argument"),
        ("inbox", {"limit": 10**30}, "bad-argument"),
        ("inbox", {"limit": "9" * 5000}, "bad-argument"),
        ("wait", {"timeout": -1}, "bad-argument"),
        ("inbox", {"limit": float("inf")}, "bad-argument"),
        ("inbox", {"limit": []}, "bad-argument"),
        ("inbox", {"urgent": "perhaps"}, "bad-argument"),
        ("inbox", {"least": "huge"}, "bad-argument"),
        ("wait", {"timeout": float("nan")}, "bad-argument"),
        ("leases", {"soon": "soon"}, "bad-argument"),
        ("whois", {"name": "\ud800"}, "bad-argument"),
        ("whois", {"name": "Red\0Cat"}, "bad-argument"),
        ("whois", {"name": True}, "bad-argument"),
        ("whois", {}, "missing-argument"),
        ("whois", {"nam": "RedCat"}, "unknown-argument"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(name: str, given: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as refused:
        understood(QUERIES[name], given)
    assert refused.value.code == code
