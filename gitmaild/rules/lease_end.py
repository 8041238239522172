"""Planning the rest of a lease's life: its holder extends it or lets it go, or the Overseer ends it."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from gitmaild.model import layout
from gitmaild.model.changeset import Changeset, Put
from gitmaild.model.commands import Release, Renew
from gitmaild.model.errors import Refused, refuse
from gitmaild.model.ids import note_id, stamp
from gitmaild.model.lease import RELEASED, Lease, Thing, Waiting
from gitmaild.model.message import Message
from gitmaild.model.names import OVERSEER, POSTMASTER
from gitmaild.model.settings import Settings
from gitmaild.rules import frontmatter
from gitmaild.rules.commit import one_line
from gitmaild.rules.copies import copies
from gitmaild.rules.holdings import Holdings, render_lease
from gitmaild.rules.mailbox import Mailbox
from gitmaild.rules.parse import ignored
from gitmaild.rules.parse_lease import pattern
from gitmaild.rules.reserve import lease_puts, lease_trailers, shown


def renew(command: Renew, mailbox: Mailbox, now: datetime, settings: Settings) -> Changeset:
    envelope, holdings = command.envelope, mailbox.holdings()
    chosen = _chosen(command, holdings.of(envelope.agent))
    wanted = {lease.id: refusal for lease in chosen if (refusal := _wanted(lease, holdings, now))}
    leases = [lease for lease in chosen if lease.id not in wanted]
    if wanted and (not leases or _names_something(command)):
        raise next(iter(wanted.values()))
    longest = now + timedelta(seconds=settings.lease_longest)
    renewed = [replace(lease, expires=_extended(lease, command, now, longest), warned=False) for lease in leases]
    return Changeset(
        subject=one_line(f"renew: {envelope.agent}: {_named(renewed)}"),
        author=envelope.agent,
        at=now,
        puts=tuple(lease_puts(mailbox, renewed)),
        trailers=lease_trailers(envelope, "renew", renewed, "renewed"),
        answer=frontmatter.write([("kind", "renew"), ("status", "renewed")])
        + frontmatter.write_rows("leases", [shown(lease) for lease in renewed])
        + (frontmatter.write_rows("wanted", [shown(x) for x in chosen if x.id in wanted]) if wanted else "")
        + _ignored("renew", command),
    )


def release(command: Release, mailbox: Mailbox, now: datetime) -> Changeset:
    envelope, holdings = command.envelope, mailbox.holdings()
    everybodys = envelope.agent == OVERSEER and _names_something(command)
    withdrawn = _withdrawn(command, holdings)
    asked = [thing for request in withdrawn for thing in request.things]
    leases = _chosen(command, holdings.leases if everybodys else holdings.of(envelope.agent), asked)
    foreign = [lease for lease in leases if lease.holder != envelope.agent]
    if foreign and not command.reason:
        raise refuse(
            "no-reason",
            f"reason: {_named(foreign)} is held by {foreign[0].holder}, who will want to know why",
            'add "reason:"',
            field="reason",
        )
    ended = [replace(lease, because=command.reason if lease in foreign else "") for lease in leases]
    puts, drops = end(ended, RELEASED, mailbox, now)
    notes = [_taken_note(envelope.id, holder, foreign, command, now) for holder in sorted({x.holder for x in foreign})]
    return Changeset(
        subject=one_line(f"release: {envelope.agent}: {_released(ended, asked)}{f': {command.reason}' if foreign else ''}"),
        author=envelope.agent,
        at=now,
        puts=(*puts, *(put for note in notes for put in copies(note, list(note.to), mailbox))),
        drops=(*drops, *(layout.lease_request(mailbox.project, request.number) for request in withdrawn)),
        trailers=lease_trailers(envelope, "release", ended, "released", RELEASED),
        answer=frontmatter.write(
            [("kind", "release"), ("status", "released"), ("count", len(ended)), ("withdrawn", len(withdrawn))]
        )
        + frontmatter.write_rows("leases", [shown(lease) for lease in ended])
        + _ignored("release", command),
        messages=tuple(notes),
    )


def end(leases: list[Lease], state: str, mailbox: Mailbox, now: datetime) -> tuple[list[Put], list[str]]:
    """(puts, drops) that move leases from those held to those ended, with the state and the time."""
    day = f"{layout.ended_leases(mailbox.project)}/{now:%Y/%m/%d}"
    puts = [
        Put(f"{mailbox.leaf(day)}/{lease.id}.yaml", render_lease(replace(lease, state=state, ended=now))) for lease in leases
    ]
    return puts, [layout.lease(mailbox.project, lease.id) for lease in leases]


def _extended(lease: Lease, command: Renew, now: datetime, longest: datetime) -> datetime:
    """The new end: so much later where that was said, else a whole term from now; never earlier than it was."""
    if command.extend_seconds:
        until = lease.expires + timedelta(seconds=command.extend_seconds)
        if until > longest:
            raise refuse(
                "too-long",
                f"extend_seconds: {lease.thing} would be held until {stamp(until)}; the latest is {stamp(longest)}",
                "extend it by less, and renew it again later",
                field="extend_seconds",
            )
        return until
    return max(lease.expires, now + timedelta(seconds=lease.ttl_seconds))


def _wanted(lease: Lease, holdings: Holdings, now: datetime) -> Refused | None:
    """Why a lease is not renewed: at will until its first term is over, but from then on not while somebody waits for it."""
    waits = holdings.ahead(lease.thing, lease.holder, exclusive=lease.exclusive) if now >= lease.first_term else iter(())
    for request, _, _ in waits:
        return refuse(
            "lease-wanted",
            f"{lease.thing}: {request.agent} waits for it, and your first term ended at {stamp(lease.first_term)}",
            f"finish by {stamp(lease.expires)}, or release it and queue again with wait_seconds",
            field="leases",
        )
    return None


def _names_something(command: Renew | Release) -> bool:
    return bool(command.leases or command.paths or command.slots)


def _withdrawn(command: Release, holdings: Holdings) -> list[Waiting]:
    """The agent's own requests that a release takes out of the queue: all, or those for something that it names."""
    own = [request for request in holdings.waiting if request.agent == command.envelope.agent]
    named = {thing for text in command.paths for thing in _meant(text)} | {Thing(slot=name) for name in command.slots}
    return [request for request in own if not _names_something(command) or named.intersection(request.things)]


def _chosen(command: Renew | Release, among: list[Lease], asked: Iterable[Thing] = ()) -> list[Lease]:
    """The leases that a command names, or all of the agent's own.

    Raises `Refused` for one that is neither held nor among what is `asked` for by a request in the queue.
    """
    agent, asked = command.envelope.agent, set(asked)
    if not _names_something(command):
        own = [lease for lease in among if lease.holder == agent]
        if not own and isinstance(command, Renew):
            raise _lost(f"{agent} holds no lease")
        return own
    by_id = {lease.id: lease for lease in among}
    named = [*((text, _meant(text)) for text in command.paths), *((f"slot {x}", [Thing(slot=x)]) for x in command.slots)]
    found: dict[str, Lease] = {}
    for an_id in command.leases:
        if an_id not in by_id:
            raise _lost(f"leases: {an_id} is not held by {agent}")
        found[an_id] = by_id[an_id]
    for text, things in named:
        held = next((own for thing in things if (own := [lease for lease in among if lease.thing == thing])), [])
        if not held and not asked.intersection(things):
            raise _lost(f"{text} is not held by {agent}")
        found |= {lease.id: lease for lease in held}
    return list(found.values())


def _meant(text: str) -> list[Thing]:
    """What a path may have been reserved as: a literal may be named without its mark. Raises `Refused` for neither."""
    found: list[Thing] = []
    refused: list[Refused] = []
    for literal in (False, True):
        try:
            found.append(Thing(pattern(text, literal=literal, broad=True).text))
        except Refused as error:
            refused.append(error)
    if not found:
        raise refused[0]
    return found


def _lost(reason: str) -> Refused:
    return refuse(
        "not-held",
        f"{reason}; it may have expired, or been released",
        "see .gitmaild/leases/ for what is held now, and reserve it again",
        field="leases",
    )


def _taken_note(command_id: str, holder: str, leases: list[Lease], command: Release, now: datetime) -> Message:
    """The note that tells a holder that the Overseer has ended its leases."""
    taken = [lease for lease in leases if lease.holder == holder]
    lines = "".join(f"- {lease.thing} ({lease.id}, fence {lease.fence})\n" for lease in taken)
    an_id = note_id(f"{command_id}{holder}")
    return Message(
        id=an_id,
        thread_id=an_id,
        sender=POSTMASTER,
        to=(holder,),
        created=now,
        importance="high",
        subject=f"{command.envelope.agent} released {_named(taken)}"[:200],
        body=f"\n{command.envelope.agent} has released what you held: {command.reason}\n\n{lines}\n"
        "You no longer hold it. Reserve it again before you go on.\n",
    )


def _named(leases: list[Lease]) -> str:
    return ", ".join(str(lease.thing) for lease in leases) or "nothing"


def _released(leases: list[Lease], asked: list[Thing]) -> str:
    waited = f"no longer waits for {', '.join(map(str, asked))}" if asked else ""
    return "; ".join(part for part in (_named(leases) if leases or not asked else "", waited) if part)


def _ignored(kind: str, command: Renew | Release) -> str:
    unknown = ignored(kind, command.extra)
    return frontmatter.write([("ignored", unknown)]) if unknown else ""
