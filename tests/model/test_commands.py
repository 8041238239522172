"""The tables of kinds and fields agree with the commands."""

from dataclasses import fields

import pytest

from gitmaild.model.commands import (
    COMMON,
    KINDS,
    LISTS,
    BindRole,
    Claim,
    ContactAnswer,
    ContactPolicy,
    ContactRequest,
    EditList,
    File,
    Quiet,
    Register,
    Release,
    Renew,
    Reserve,
    Retire,
    Send,
)

COMMANDS = {
    "message": Send,
    "register": Register,
    "retire": Retire,
    "read": File,
    "ack": File,
    "reserve": Reserve,
    "renew": Renew,
    "release": Release,
    "handoff": Send,
    "contact-policy": ContactPolicy,
    "contact-request": ContactRequest,
    "contact-approve": ContactAnswer,
    "contact-deny": ContactAnswer,
    "dnd": Quiet,
    "role-bind": BindRole,
    "role-unbind": BindRole,
    "group": EditList,
    "queue": EditList,
    "board": EditList,
    "claim": Claim,
    "give-back": Claim,
}
# What a kind calls otherwise than its command, or makes a body of.
OTHERWISE = {
    "register": {"name"},  # the desk's, which the envelope says
    "handoff": {"completed", "remaining", "blockers", "next", "files", "tests", "iteration"},
    "contact-approve": {"agent"},
    "contact-deny": {"agent"},
    "dnd": {"on"},
}


def test_every_kind_of_drop_has_a_command() -> None:
    assert set(KINDS) == set(COMMANDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_a_kind_is_a_field_of_its_command(kind: str) -> None:
    assert set(KINDS[kind]) - OTHERWISE.get(kind, set()) <= {field.name for field in fields(COMMANDS[kind])}


def test_every_list_field_belongs_to_a_kind() -> None:
    assert {key for known in KINDS.values() for key in known} >= LISTS


def test_what_the_post_office_sets_is_no_field_of_any_kind() -> None:
    assert not {"id", "created"} & {key for known in (*KINDS.values(), COMMON) for key in known}
