"""A commit of the mailbox as it was read back, whoever made it."""

from dataclasses import dataclass
from functools import cached_property

from gitmaild.model.changeset import parse_commit_message


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit did to one path: the blob before and after it, '' where there was or is none."""

    path: str
    before: str
    after: str
    mode: str = "100644"  # afterwards; a file of any other mode was made by hand


@dataclass(frozen=True)
class Recorded:
    """`authored` and `committed` are seconds since 1970, as the commit says. `changes` are there where asked for."""

    oid: str
    parents: tuple[str, ...]
    author: str
    committer: str  # `name <address>`
    authored: int
    committed: int
    message: str
    changes: tuple[Change, ...] = ()

    @cached_property
    def trailers(self) -> dict[str, str]:
        return parse_commit_message(self.message)[0]

    @property
    def subject(self) -> str:
        return self.message.partition("\n")[0]

    @property
    def kind(self) -> str:
        """The kind of command that it accepted, '' for a commit that is not gitmaild's."""
        return self.trailers.get("Command", "").partition(" ")[0]

    @property
    def project(self) -> str:
        return self.trailers.get("Project", "")
