"""What can go wrong, as two kinds.

A `Refusal` is a value: the sender's file cannot be accepted, and the sender is told. A `MailError` is an exception: the
post office itself could not do its work, and the verdict says whether trying again may help.
"""

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    TEMPORARY = "temporary"
    PERMANENT = "permanent"


class MailError(Exception):
    """A failure with a code and a verdict. Subclasses live beside the code that raises them."""

    code = "error"
    verdict = Verdict.PERMANENT


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a dropped file is not accepted: what is wrong, where, and how to mend it."""

    code: str
    reason: str
    mend: str
    field: str = ""
    line: int = 0


class Refused(Exception):
    """Raised inside the rules, caught at their boundary and handed on as the `Refusal` it carries."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal

    @property
    def code(self) -> str:
        return self.refusal.code

    @property
    def reason(self) -> str:
        return self.refusal.reason

    @property
    def mend(self) -> str:
        return self.refusal.mend


def refuse(code: str, reason: str, mend: str, *, field: str = "", line: int = 0) -> Refused:
    return Refused(Refusal(code, reason, mend, field, line))
