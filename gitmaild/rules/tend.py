"""What happens by itself: leases run out, pass on, and their holders are warned; who owes an acknowledgement is reminded;
mail that was held goes in or back.

One change at a time, each a commit of its own: `tend` is asked again until it has nothing more to say.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from gitmaild.model import layout
from gitmaild.model.changeset import COMMITTER, Changeset
from gitmaild.model.commands import Envelope, Reserve
from gitmaild.model.ids import note_id, stamp
from gitmaild.model.lease import EXPIRED, RELEASED, Lease, Waiting
from gitmaild.model.message import Message
from gitmaild.model.names import OVERSEER, POSTMASTER
from gitmaild.model.settings import Settings
from gitmaild.rules import frontmatter
from gitmaild.rules.claims import next_return
from gitmaild.rules.commit import one_line
from gitmaild.rules.copies import copies
from gitmaild.rules.due import next_ack_due
from gitmaild.rules.held import next_held
from gitmaild.rules.holdings import Holdings
from gitmaild.rules.lease_end import end
from gitmaild.rules.mailbox import Mailbox
from gitmaild.rules.remind import remind
from gitmaild.rules.reserve import Conflict, grant, in_the_way, lease_puts, lease_trailers, shown
from gitmaild.rules.tend_mail import tend_mail


def tend(
    envelope: Envelope, mailbox: Mailbox, now: datetime, settings: Settings, *, expiring: bool = True
) -> Changeset | None:
    """The next thing that is due in this project at `now`, or None. `expiring` False: nothing runs out for now."""
    holdings = mailbox.holdings()
    active = {name: _is_active(name, mailbox) for name in {lease.holder for lease in holdings.leases}}
    for lease in holdings.leases:
        if expiring and lease.expires <= now:
            return _ended(envelope, lease, mailbox, now)
        if not active[lease.holder]:
            return _ended(envelope, lease, mailbox, now, because=f"{lease.holder} has retired")
    for request in holdings.waiting:
        if not _is_active(request.agent, mailbox):
            return _given_up(envelope, request, mailbox, now)
        conflicts = _in_its_way(request, holdings)
        if not conflicts and (now <= request.until or not expiring):
            return _granted(envelope, request, mailbox, now)
        if expiring and request.until <= now:
            return _given_up(envelope, request, mailbox, now, why=_why_not(conflicts))
    warning = _warning(envelope, holdings, mailbox, now, settings)
    return warning or (tend_mail(envelope, mailbox, now) or remind(envelope, mailbox, now) if expiring else None)


def next_due(mailbox: Mailbox, settings: Settings) -> datetime | None:
    """When `tend` may have something to say, if nothing is asked for until then."""
    holdings = mailbox.holdings()
    moments = [lease.expires for lease in holdings.leases]
    moments += [request.until for request in holdings.waiting]
    moments += [at for lease in holdings.leases if (at := _warned_at(lease, settings))]
    moments += [at for at in (next_ack_due(mailbox), next_held(mailbox), next_return(mailbox)) if at]
    return min(moments, default=None)


def _is_active(agent: str, mailbox: Mailbox) -> bool:
    profile = mailbox.profile(agent)
    return agent == OVERSEER or (profile is not None and profile.state == "active")


def _ended(envelope: Envelope, lease: Lease, mailbox: Mailbox, now: datetime, *, because: str = "") -> Changeset:
    state = RELEASED if because else EXPIRED
    verb = "expire" if state == EXPIRED else "release"
    puts, drops = end([replace(lease, because=because)], state, mailbox, now)
    return Changeset(
        subject=one_line(f"{verb}: {lease.holder}: {lease.thing}{f': {because}' if because else ''}"),
        author=COMMITTER,
        at=now,
        puts=tuple(puts),
        drops=tuple(drops),
        trailers=lease_trailers(_of(envelope, lease.holder), verb, [lease], state, state),
    )


def _in_its_way(request: Waiting, holdings: Holdings) -> list[Conflict]:
    found: Iterator[Conflict | None] = (
        in_the_way(thing, request.agent, holdings, exclusive=request.exclusive, before=request.number)
        for thing in request.things
    )
    return [conflict for conflict in found if conflict]


def _granted(envelope: Envelope, request: Waiting, mailbox: Mailbox, now: datetime) -> Changeset:
    """Its turn has come: leases on all that it waits for, and a note that says so."""
    asked = Reserve(
        replace(envelope, id=request.command_id, agent=request.agent),
        ttl_seconds=request.ttl_seconds,
        exclusive=request.exclusive,
        reason=request.reason,
    )
    leases = grant(asked, request.things, mailbox, now)
    what = ", ".join(str(lease.thing) for lease in leases)
    note = _note(
        envelope,
        request.agent,
        f"granted: {what}",
        f"What you have waited for is yours:\n\n{_listed(leases)}\nRelease it as soon as you can.\n",
        now,
    )
    extra = (("request", request.command_id), ("leases", tuple(lease.id for lease in leases)))
    note = replace(note, extra=extra)
    return Changeset(
        subject=one_line(f"grant: {request.agent}: {what}"),
        author=request.agent,
        at=now,
        puts=(*lease_puts(mailbox, leases), *copies(note, [request.agent], mailbox)),
        drops=(layout.lease_request(mailbox.project, request.number),),
        trailers=lease_trailers(_of(envelope, request.agent), "grant", leases, "granted"),
        answer=frontmatter.write([("kind", "grant"), ("request", request.command_id)])
        + frontmatter.write_rows("granted", [shown(lease) for lease in leases]),
        messages=(note,),
    )


def _why_not(conflicts: list[Conflict]) -> str:
    """What kept a request from being granted in time."""
    if not conflicts:
        return "It is free again, but nobody was there to grant it in time."
    first = conflicts[0]
    reason = f" ({first.reason})" if first.reason else ""
    if first.lease_id:
        return f"{first.thing} is still held by {first.holder}, until {stamp(first.expires)}{reason}."
    return f"{first.thing} is wanted by {first.holder}, who asked first{reason}."


def _given_up(envelope: Envelope, request: Waiting, mailbox: Mailbox, now: datetime, *, why: str = "") -> Changeset:
    """Its time is over, or its agent has retired: out of the queue, and a note (`why`) to who still reads."""
    what = ", ".join(str(thing) for thing in request.things)
    notes: list[Message] = []
    if why:
        notes.append(
            _note(
                envelope,
                request.agent,
                f"not granted in time: {what}",
                f"You have waited until {stamp(request.until)}. {why}\n"
                "Reserve it again with wait_seconds, or write to the holder.\n",
                now,
            )
        )
    return Changeset(
        subject=one_line(f"give up: {request.agent}: {what}"),
        author=COMMITTER,
        at=now,
        puts=tuple(put for note in notes for put in copies(note, [request.agent], mailbox)),
        drops=(layout.lease_request(mailbox.project, request.number),),
        trailers=lease_trailers(_of(envelope, request.agent), "give-up", [], "timeout" if why else "retired"),
        messages=tuple(notes),
    )


def _warned_at(lease: Lease, settings: Settings) -> datetime | None:
    """When its holder is told that it ends soon. Not for a lease that is shorter than a few warnings."""
    if lease.warned or lease.ttl_seconds < 3 * settings.lease_warning:
        return None
    return lease.expires - timedelta(seconds=settings.lease_warning)


def _warning(
    envelope: Envelope, holdings: Holdings, mailbox: Mailbox, now: datetime, settings: Settings
) -> Changeset | None:
    """One note to the first holder whose leases end soon, for all of them together."""
    due = [lease for lease in holdings.leases if (at := _warned_at(lease, settings)) and at <= now]
    if not due:
        return None
    holder = due[0].holder
    own = [replace(lease, warned=True) for lease in due if lease.holder == holder]
    what = ", ".join(str(lease.thing) for lease in own)
    note = _note(
        envelope,
        holder,
        f"expires soon: {what}",
        f"What you hold ends soon:\n\n{_listed(own)}\nDrop `kind: renew` to keep it, or `kind: release` if you are done.\n",
        now,
    )
    return Changeset(
        subject=one_line(f"warn: {holder}: {what} expires soon"),
        author=COMMITTER,
        at=now,
        puts=(*lease_puts(mailbox, own), *copies(note, [holder], mailbox)),
        trailers=lease_trailers(_of(envelope, holder), "warn", own, "warned"),
        messages=(note,),
    )


def _of(envelope: Envelope, agent: str) -> Envelope:
    return replace(envelope, agent=agent)


def _listed(leases: list[Lease]) -> str:
    return "".join(f"- {lease.thing} until {stamp(lease.expires)} ({lease.id}, fence {lease.fence})\n" for lease in leases)


def _note(envelope: Envelope, agent: str, subject: str, text: str, now: datetime) -> Message:
    an_id = note_id(envelope.id)
    return Message(
        id=an_id,
        thread_id=an_id,
        sender=POSTMASTER,
        to=(agent,),
        created=now,
        importance="high",
        subject=subject[:200],
        body=f"\n{text}",
    )
