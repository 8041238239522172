"""Planning a reservation: what is granted, what is in the way, what waits.

Whatever lies in `leases/` is held: a lease that has run out is moved away by `rules.tend` before anything is planned, so the
answer depends on the tree and not on how often the clock was looked at.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gitmaild.model import layout
from gitmaild.model.changeset import Changeset, Put
from gitmaild.model.commands import Envelope, Reserve
from gitmaild.model.errors import refuse
from gitmaild.model.ids import lease_id, stamp
from gitmaild.model.lease import Lease, Thing, Waiting
from gitmaild.model.message import Value
from gitmaild.model.settings import Settings
from gitmaild.rules import frontmatter
from gitmaild.rules.commit import one_line, trailers
from gitmaild.rules.frontmatter import Written
from gitmaild.rules.holdings import Holdings, meet, number, render_lease, render_waiting
from gitmaild.rules.mailbox import Mailbox
from gitmaild.rules.parse import ignored
from gitmaild.rules.parse_lease import pattern

# What a file is called that is not there yet: a name with an ending.
_FILE = re.compile(r"[^/]\.[A-Za-z0-9]{1,8}$")


@dataclass(frozen=True, slots=True)
class Conflict:
    """What keeps a thing from being granted: somebody's lease, or somebody's request that came before."""

    thing: Thing
    holder: str
    holds: Thing
    witness: str
    expires: datetime
    reason: str
    lease_id: str = ""  # '' for a request that waits

    def fields(self, now: datetime) -> dict[str, Value | int]:
        """The shape that every door shows."""
        return {
            "pattern": self.thing.pattern or self.thing.slot,
            "holder": self.holder,
            "holds": self.holds.pattern or self.holds.slot,
            "witness": self.witness,
            "expires": stamp(self.expires),
            "expires_in_seconds": max(round((self.expires - now).total_seconds()), 0),
            "reason": self.reason,
            **({"lease": self.lease_id} if self.lease_id else {"waiting": "yes"}),
        }


def reserve(command: Reserve, mailbox: Mailbox, now: datetime, settings: Settings) -> Changeset:
    usual = command.ttl_seconds or mailbox.directory().lease_seconds(command.envelope.agent) or settings.lease_seconds
    command = replace(command, ttl_seconds=min(usual, settings.lease_longest))
    holdings = mailbox.holdings()
    things = _things(command)
    _check_count(command, holdings, things, settings)
    own = {lease.thing: lease for lease in holdings.of(command.envelope.agent)}
    conflicts = [
        c
        for thing in things
        if not _is_in_first_term(own.get(thing), command, now)
        and (c := in_the_way(thing, command.envelope.agent, holdings, exclusive=command.exclusive))
    ]
    blocked = {conflict.thing for conflict in conflicts}
    free = [] if command.atomic and conflicts else [thing for thing in things if thing not in blocked]
    left = [thing for thing in things if thing not in free]
    granted = grant(command, free, mailbox, now)
    waits = _waiting(command, left, now) if left and command.wait_seconds else None
    status = "waiting" if waits else "granted" if not conflicts else "partly" if granted else "conflict"
    position = len(holdings.waiting) + 1 if waits else 0
    return Changeset(
        subject=one_line(f"reserve: {command.envelope.agent}: {_told(granted, conflicts, status)}"),
        author=command.envelope.agent,
        at=now,
        puts=(
            *lease_puts(mailbox, granted),
            *([Put(layout.lease_request(mailbox.project, waits.number), render_waiting(waits))] if waits else []),
        ),
        trailers=lease_trailers(command.envelope, "reserve", granted, status),
        answer=_answer(
            command, [("status", status), *([("position", position)] if position else [])], granted, conflicts, now
        ),
    )


def in_the_way(thing: Thing, agent: str, holdings: Holdings, *, exclusive: bool, before: str = "") -> Conflict | None:
    """The first thing that keeps `agent` from holding `thing`, or None. `before`: see `Holdings.ahead`."""
    for held in holdings.in_the_way(thing, agent, exclusive=exclusive):
        return Conflict(thing, held.holder, held.thing, meet(thing, held.thing) or "", held.expires, held.reason, held.id)
    for request, wanted, witness in holdings.ahead(thing, agent, exclusive=exclusive, before=before):
        return Conflict(thing, request.agent, wanted, witness, request.until, request.reason)
    return None


def grant(command: Reserve, things: Iterable[Thing], mailbox: Mailbox, now: datetime) -> list[Lease]:
    """Leases on `things`: new ones, or those that the agent holds on just that already, renewed."""
    own = {lease.thing: lease for lease in mailbox.holdings().of(command.envelope.agent)}
    until = now + timedelta(seconds=command.ttl_seconds)
    fence = max([mailbox.fence(), *(lease.fence for lease in mailbox.holdings().leases)])
    granted: list[Lease] = []
    for thing in things:
        if held := own.get(thing):
            granted.append(
                replace(
                    held,
                    exclusive=command.exclusive,
                    expires=max(held.expires, until),
                    reason=command.reason or held.reason,
                    warned=False,
                )
            )
            continue
        fence += 1
        granted.append(
            Lease(
                lease_id(command.envelope.id, f"{thing.slot}/{thing.pattern}"),  # a path may be called as a slot is shown
                thing,
                command.envelope.agent,
                command.exclusive,
                fence,
                now,
                until,
                command.ttl_seconds,
                command.reason,
            )
        )
    return granted


def lease_puts(mailbox: Mailbox, leases: Iterable[Lease]) -> list[Put]:
    """The files of leases that are held, and the counter where one of them is new."""
    found = list(leases)
    puts = [Put(layout.lease(mailbox.project, lease.id), render_lease(lease)) for lease in found]
    newest = max((lease.fence for lease in found), default=0)
    if newest > mailbox.fence():
        puts.append(Put(layout.fence(mailbox.project), frontmatter.write([("fence", newest)]).encode()))
    return puts


def lease_trailers(
    envelope: Envelope, kind: str, leases: Iterable[Lease], result: str, state: str = "active"
) -> tuple[tuple[str, str], ...]:
    ids = ", ".join(lease.id for lease in leases)
    about = [("Lease-Id", ids), ("Lease-State", state)] if ids else []
    return trailers(envelope, kind, *about, ("Result", result))


def shown(lease: Lease) -> dict[str, Value | int | bool]:
    """A lease in an answer: the shape that every door shows."""
    return {
        "id": lease.id,
        "pattern" if lease.thing.pattern else "slot": lease.thing.pattern or lease.thing.slot,
        "exclusive": lease.exclusive,
        "expires": stamp(lease.expires),
        "fence": lease.fence,
        "reason": lease.reason,
    }


def _things(command: Reserve) -> list[Thing]:
    """What is asked for, each once, in the order written. Raises `Refused` for a pattern that cannot be held."""
    things = [_thing(text, command) for text in command.paths]
    return list(dict.fromkeys([*things, *(Thing(slot=name) for name in command.slots)]))


def _thing(text: str, command: Reserve) -> Thing:
    """A path as it can be held. One that is a file, or is not there and is called like one, has nothing below it."""
    exists = text in command.existing
    found = pattern(text, literal=exists, broad=command.broad)
    is_file = text in command.files or (not exists and _FILE.search(found.text) is not None)
    return Thing(found.text, is_file=found.is_plain and is_file)


def _is_in_first_term(held: Lease | None, command: Reserve, now: datetime) -> bool:
    """True where this only renews what the agent holds already: in its first term, nobody who waits has a say in that."""
    return held is not None and held.exclusive >= command.exclusive and now < held.first_term


def _check_count(command: Reserve, holdings: Holdings, things: list[Thing], settings: Settings) -> None:
    agent = command.envelope.agent
    own = {lease.thing for lease in holdings.of(agent)}
    count = len(own.union(things)) + sum(len(request.things) for request in holdings.waiting if request.agent == agent)
    if count > settings.leases_per_agent:
        raise refuse(
            "too-many-leases",
            f"{agent} would hold, or wait for, {count} leases; limit {settings.leases_per_agent}",
            "release some, or use wider patterns",
            field="paths",
        )


def _waiting(command: Reserve, things: list[Thing], now: datetime) -> Waiting:
    return Waiting(
        number(command.envelope.id, now),
        command.envelope.id,
        command.envelope.agent,
        tuple(things),
        command.exclusive,
        command.ttl_seconds,
        now + timedelta(seconds=command.wait_seconds),
        command.reason,
        command.atomic,
    )


def _told(granted: list[Lease], conflicts: list[Conflict], status: str) -> str:
    parts = [", ".join(str(lease.thing) for lease in granted)] if granted else []
    parts += [f"{c.thing} is held by {c.holder}" if c.lease_id else f"{c.thing} waits behind {c.holder}" for c in conflicts]
    return "; ".join(parts) + ("; queued" if status == "waiting" else "")


def _answer(
    command: Reserve, status: list[tuple[str, Written]], granted: list[Lease], conflicts: list[Conflict], now: datetime
) -> str:
    unknown = ignored("reserve", command.extra)
    lines = frontmatter.write([("kind", "reserve"), *status, ("ttl_seconds", command.ttl_seconds)])
    lines += frontmatter.write_rows("granted", [shown(lease) for lease in granted])
    lines += frontmatter.write_rows("conflicts", [conflict.fields(now) for conflict in conflicts])
    return lines + (frontmatter.write([("ignored", unknown)]) if unknown else "")
