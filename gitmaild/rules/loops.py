"""Programs that answer each other are stopped: an automatic answer says so, and only so many follow each other."""

from gitmaild.model.errors import refuse
from gitmaild.model.message import Message
from gitmaild.model.names import POSTMASTER
from gitmaild.model.settings import Settings

# A refusal of this code leaves no note in anybody's inbox: the note might be answered as well.
LOOP = "mail-loop"


def hops(original: Message | None, settings: Settings) -> int:
    """How many automatic answers in a row the next one ends. Raises `Refused` where that is one too many."""
    count = (original.hops if original else 0) + 1
    if original and original.sender == POSTMASTER:
        raise refuse(LOOP, "an automatic answer to Postmaster, who reads nothing", "answer no note", field="auto_reply")
    if count > settings.hop_limit:
        raise refuse(
            LOOP,
            f"{count} automatic answers in a row; limit {settings.hop_limit}",
            "let an agent or a person write the next one",
            field="auto_reply",
        )
    return count
