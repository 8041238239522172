"""A preset: roles, groups, queues and boards under one name, as the commands that make them."""

from dataclasses import dataclass

from gitmaild.model.commands import BindRole, EditList


@dataclass(frozen=True, slots=True)
class Entry:
    """One command of a preset. `where` says for a person where it was written."""

    command: BindRole | EditList
    where: str

    @property
    def kind(self) -> str:
        return "role" if isinstance(self.command, BindRole) else self.command.kind

    @property
    def name(self) -> str:
        return self.command.role if isinstance(self.command, BindRole) else self.command.name


@dataclass(frozen=True, slots=True)
class Preset:
    """`entries` in the order in which they are to be done: a role before the group that it is in."""

    name: str
    about: str
    source: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """What one entry does to a project: `status` is made, changed or unchanged, `changes` what is other than it was."""

    entry: Entry
    status: str
    changes: tuple[str, ...] = ()
