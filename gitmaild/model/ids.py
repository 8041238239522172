"""Identifiers and times.

A command gets `cmd_YYYYMMDD_<hex>` when its file is claimed. Every other id of that command derives from it: the message
it carries is `msg_` with the same digits, a note that answers it has twelve digits of a hash. The date is the UTC day of
the claim; the digits are random; nothing else can be read out of an id.
"""

import re
from collections.abc import Callable, Container
from datetime import UTC, datetime, timedelta

from gitmaild.model.errors import refuse

MESSAGE_ID = re.compile(r"msg_([0-9]{8})_([0-9a-f]{8,32})")
LEASE_ID = re.compile(r"lease_([0-9]{8})_([0-9a-f]{8,32})")
COMMAND_ID = re.compile(r"cmd_([0-9]{8})_([0-9a-f]{8,32})")
_THREAD_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
# Names that a file system or a shell keeps for itself; a thread of that name gets a suffix instead.
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?")

TICK = timedelta(microseconds=1)


def mint(now: datetime, entropy: Callable[[int], bytes], taken: Container[str]) -> str:
    """A fresh command id for the UTC day of `now`: eight hex digits, more where a shorter id is taken.

    `entropy(n)` gives n random bytes; `taken` holds `YYYYMMDD_<hex>` strings already in use.
    """
    day = now.strftime("%Y%m%d")
    for size in (4, 4, 6, 8, 16):
        digits = f"{day}_{entropy(size).hex()}"
        if digits not in taken:
            return f"cmd_{digits}"
    raise RuntimeError("five draws of up to 128 random bits were all taken: the entropy source is broken")


def digits(an_id: str) -> str:
    """`20261122_7b3dc3a7` of any id: what ids of one command share."""
    return an_id.partition("_")[2]


def hex_of(an_id: str) -> str:
    return an_id.rpartition("_")[2]


def message_id(command_id: str) -> str:
    return f"msg_{digits(command_id)}"


def note_id(command_id: str) -> str:
    """The id of the note from Postmaster that a command gives rise to; the same however often it is planned."""
    day = digits(command_id).partition("_")[0]
    return f"msg_{day}_{_hash(f'note {digits(command_id)}')[:12]}"


def lease_id(command_id: str, thing: str) -> str:
    """The id of the lease that a command is granted on a thing, at once or later; the same however often it is planned."""
    day = digits(command_id).partition("_")[0]
    return f"lease_{day}_{_hash(f'lease {digits(command_id)} {thing}')[:12]}"


def is_thread_id(text: str) -> bool:
    return _THREAD_ID.fullmatch(text) is not None


def check_thread_id(text: str, *, line: int = 0) -> str:
    if not is_thread_id(text):
        raise refuse(
            "bad-thread",
            f"thread_id: {text[:80]!r} cannot name a thread",
            "use letters, digits, dot, dash and underscore, at most 100, starting with a letter or digit: br-123",
            field="thread_id",
            line=line,
        )
    return text


def check_message_id(text: str, *, field: str, line: int = 0) -> str:
    if not MESSAGE_ID.fullmatch(text):
        raise refuse(
            "bad-id",
            f"{field}: {text[:80]!r} is not a message id",
            "ids look like msg_20261122_7b3dc3a7; the id is the first line of every message in your inbox",
            field=field,
            line=line,
        )
    return text


def thread_file(thread_id: str) -> str:
    """The stem of a thread's page: the id, or lower case and a hash where two ids could meet on one disk."""
    lower = thread_id.lower()
    if lower == thread_id and not _DEVICES.fullmatch(lower) and not lower.endswith("."):
        return thread_id
    return f"{lower}~{_hash(thread_id)[:8]}"


def stamp(moment: datetime) -> str:
    """`2026-11-22T15:22:14.123456Z`: UTC with microseconds, the form of every time that gitmaild writes."""
    # Not strftime, which takes four times as long and stands in the way of every delivery, nine times.
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def parse_stamp(text: str) -> datetime:
    """The inverse of `stamp`. Raises ValueError for any other form."""
    # Not strptime, which takes eight times as long and stands in the way of every delivery.
    if len(text) != 27 or text[10] != "T" or text[19] != "." or text[26] != "Z":
        raise ValueError(f"not a time as gitmaild writes it: {text!r}")
    return datetime.fromisoformat(text)


def _hash(text: str) -> str:
    from hashlib import sha256  # noqa: PLC0415 - 3 ms of OpenSSL that reading an inbox does not need

    return sha256(text.encode()).hexdigest()
