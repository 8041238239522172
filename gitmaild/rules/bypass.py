"""Recording a commit that went past the guard: to a path that somebody else held exclusively when it was made."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain, takewhile

from gitmaild.model.changeset import COMMITTER, Changeset
from gitmaild.model.commands import Bypass
from gitmaild.model.glob import composed
from gitmaild.model.ids import note_id
from gitmaild.model.lease import Lease
from gitmaild.model.message import Message
from gitmaild.model.names import OVERSEER, POSTMASTER
from gitmaild.model.pattern import BadPattern, Pattern
from gitmaild.rules.commit import one_line, printable, trailers
from gitmaild.rules.copies import copies
from gitmaild.rules.mailbox import Mailbox

_SHOWN = 20


def bypass(command: Bypass, mailbox: Mailbox, now: datetime) -> Changeset | None:
    """The commit and the notes that record it, or None where nobody else's lease was touched, or it is on record."""
    an_id = note_id(f"bypass_{now:%Y%m%d}_{command.commit}")
    touched = [(lease, paths) for lease in _held_at(command.at, mailbox) if (paths := _touched(lease, command))]
    if not touched or _is_recorded(command, mailbox, now):
        return None
    holders = sorted({lease.holder for lease, _ in touched})
    files = sorted({printable(path) for _, paths in touched for path in paths})
    named = ", ".join(files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")
    note = Message(
        id=an_id,
        thread_id=an_id,
        sender=POSTMASTER,
        to=(*holders, OVERSEER) if OVERSEER not in holders else tuple(holders),
        created=now,
        importance="high",
        subject=f"guard.bypassed: {command.commit[:12]} touches {named}"[:200],
        extra=(("commit", command.commit),),
        body=_told(command, touched),
    )
    readers = [name for name in note.to if mailbox.profile(name)]
    return Changeset(
        subject=one_line(f"guard.bypassed: {command.agent or 'somebody'}: {command.commit[:12]}: {named}"),
        author=COMMITTER,
        at=now,
        puts=tuple(copies(note, readers, mailbox)),
        trailers=trailers(
            command.envelope,
            "guard.bypassed",
            ("Commit", command.commit),
            ("By", command.agent or "-"),
            ("Lease-Id", ", ".join(lease.id for lease, _ in touched)),
            ("Result", "recorded"),
        ),
        messages=(note,),
    )


def _held_at(at: datetime, mailbox: Mailbox) -> Iterator[Lease]:
    """Exclusive leases on paths that were held in the second `at`; one that began or ended within it counts for nobody."""
    after = at + timedelta(seconds=1)
    # The newest end comes first: what ended before the commit ends the search.
    ended = takewhile(lambda lease: lease.ended is not None and lease.ended >= after, mailbox.ended_leases())
    for lease in chain(mailbox.holdings().leases, ended):
        if lease.exclusive and lease.thing.pattern and lease.granted < at and lease.expires > after:
            yield lease


def _touched(lease: Lease, command: Bypass) -> list[str]:
    if lease.holder == command.agent:
        return []
    try:
        pattern = Pattern.parse(lease.thing.pattern, broad=True)
    except BadPattern:
        return []
    return [path for path in command.paths if pattern.matches(composed(path))]


def _is_recorded(command: Bypass, mailbox: Mailbox, now: datetime) -> bool:
    """True where a note of today or yesterday tells of the commit: the last look was cut short after that had landed."""
    days = (now, now - timedelta(days=1))
    return any(mailbox.canonical(note_id(f"bypass_{day:%Y%m%d}_{command.commit}")) for day in days)


def _told(command: Bypass, touched: list[tuple[Lease, list[str]]]) -> str:
    lines = [
        f"- {printable(path)}: {lease.holder} held {lease.thing} ({lease.id})" for lease, paths in touched for path in paths
    ]
    more = [f"- and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    who = f" by {command.agent}" if command.agent else ""
    head = f"\nCommit {command.commit} was made in {printable(command.worktree)}{who}, past the guard. It touches:\n\n"
    return head + "\n".join([*lines[:_SHOWN], *more]) + "\n\nTalk to each other: the work may have to be merged by hand.\n"
