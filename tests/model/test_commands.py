"""The tables of kinds and fields agree with the commands."""

from dataclasses import fields

import pytest

from gitmaild.model.commands import COMMON, KINDS, LISTS, File, Register, Release, Renew, Reserve, Retire, Send

COMMANDS = {
    "message": Send,
    "register": Register,
    "retire": Retire,
    "read": File,
    "ack": File,
    "reserve": Reserve,
    "renew": Renew,
    "release": Release,
}


def test_every_kind_of_drop_has_a_command() -> None:
    assert set(KINDS) == set(COMMANDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_a_kind_is_a_field_of_its_command(kind: str) -> None:
    # A register's `name` is the desk's, which the envelope says.
    assert set(KINDS[kind]) - {"name"} <= {field.name for field in fields(COMMANDS[kind])}


def test_every_list_field_belongs_to_a_kind() -> None:
    assert {key for known in KINDS.values() for key in known} >= LISTS


def test_what_the_post_office_sets_is_no_field_of_any_kind() -> None:
    assert not {"id", "created"} & {key for known in (*KINDS.values(), COMMON) for key in known}
