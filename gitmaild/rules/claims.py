"""Taking a message out of a queue: exactly one gets it, by a move in the tree; what is not acknowledged in time goes back.

A file in `claims/` says who has which message until when, named so that the next to go back comes first.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from gitmaild.model import layout
from gitmaild.model.changeset import Changeset, Put
from gitmaild.model.commands import Claim
from gitmaild.model.directory import QUEUE, MailingList, Taken
from gitmaild.model.errors import refuse
from gitmaild.model.ids import MESSAGE_ID, hex_of, stamp
from gitmaild.model.message import Message, Value
from gitmaild.model.names import is_desk_name, is_list_name
from gitmaild.model.settings import Settings
from gitmaild.rules import frontmatter, record, render
from gitmaild.rules.boards import files
from gitmaild.rules.commit import answer, one_line, trailers
from gitmaild.rules.copies import inbox_put
from gitmaild.rules.fields import did_you_mean
from gitmaild.rules.mailbox import Mailbox

_WHERE = "queues"


def claim(command: Claim, mailbox: Mailbox, now: datetime, settings: Settings) -> Changeset:
    envelope = command.envelope
    queue = _queue(command.queue, mailbox)
    members = mailbox.directory().holders(queue.name, mailbox.everyone())
    # Members that stand for nobody, such as a role without a holder, do not open a queue to all.
    if queue.members and envelope.agent not in members:
        raise refuse(
            "not-a-member", f"{envelope.agent} is not in the queue {queue.name}", f"members: {', '.join(queue.members)}"
        )
    found = [place for _, place in files(_WHERE, queue.name, mailbox)]
    wanted = {hex_of(an_id) for an_id in command.ids}
    chosen = [place for place in found if _hex(place) in wanted] if wanted else found[:1]
    said: list[tuple[str, Value]] = [("queue", queue.name)]
    if not chosen:
        # Nothing to do, or somebody else was faster: an answer, no error.
        return _changeset(command, f"claim: {envelope.agent}: {queue.name}: nothing there", now, status="empty", said=said)
    until = now + timedelta(seconds=queue.claim_seconds or settings.claim_seconds)
    puts: list[Put] = []
    ids: list[str] = []
    for place in chosen:
        message = render.readable(mailbox.tree.read(place))
        if message is None:
            continue  # written there by somebody else's commit
        ids.append(message.id)
        own = mailbox.held(envelope.agent, layout.file_name(message))
        if own is None:
            puts.append(inbox_put(message, envelope.agent, mailbox))
        if own is None or own.folder != "acked":
            puts.append(_put(Taken(message.id, queue.name, envelope.agent, until, own is not None), mailbox.project))
    said += [("ids", tuple(ids)), ("until", stamp(until)), ("left", str(len(found) - len(chosen)))]
    return _changeset(
        command, f"claim: {envelope.agent}: {queue.name}: {', '.join(ids)}", now,
        status="claimed", said=said, puts=puts, drops=chosen, ids=ids,
    )  # fmt: skip


def give_back(command: Claim, mailbox: Mailbox, now: datetime) -> Changeset:
    """Messages that were taken lie in their queue again, for somebody else."""
    agent = command.envelope.agent
    mine = {taken.message_id: taken for taken in taken_from(mailbox) if taken.agent == agent}
    puts: list[Put] = []
    drops: list[str] = []
    for an_id in command.ids:
        if an_id not in mine:
            raise refuse("not-claimed", f"ids: {agent} has not claimed {an_id}", "see gitmaild queue list", field="ids")
        more_puts, more_drops = returned(mine[an_id], mailbox)
        puts += more_puts
        drops += more_drops
    ids = list(command.ids)
    return _changeset(
        command, f"give back: {agent}: {', '.join(ids)}", now,
        status="returned", said=[("ids", command.ids)], puts=puts, drops=drops, ids=ids,
    )  # fmt: skip


def returned(taken: Taken, mailbox: Mailbox) -> tuple[list[Put], list[str]]:
    """(puts, drops) of a message that goes back into its queue; gone for good where its queue is."""
    drops = [path(taken, mailbox.project)]
    message = mailbox.message(taken.message_id)
    held = mailbox.held(taken.agent, layout.file_name(message)) if message else None
    queue = mailbox.directory().find(taken.queue)
    if message is None or held is None or held.folder == "acked" or queue is None or queue.kind != QUEUE:
        return [], drops
    hour = f"{layout.posted(mailbox.project, _WHERE, taken.queue)}/{layout.shard(message.created)}"
    put = Put(f"{mailbox.leaf(hour)}/{layout.file_name(message)}", oid=mailbox.tree.oid(held.path))
    return [put], drops if taken.own else [held.path, *drops]


def settled_claims(message: Message, agent: str, mailbox: Mailbox) -> list[str]:
    """The files to drop when `agent` acknowledges what it took out of a queue: it is done, and does not go back."""
    mine = (taken for taken in taken_from(mailbox) if taken.agent == agent and taken.message_id == message.id)
    return [path(taken, mailbox.project) for taken in mine]


def taken_from(mailbox: Mailbox) -> Iterator[Taken]:
    """What was taken out of queues and is not acknowledged, the next to go back first."""
    top = layout.claims(mailbox.project)
    for name in tuple(mailbox.tree.names(top)):
        taken = _parsed(mailbox.tree.read(f"{top}/{name}") or b"")
        if taken and path(taken, mailbox.project) == f"{top}/{name}":
            yield taken


def next_return(mailbox: Mailbox) -> datetime | None:
    return next((taken.until for taken in taken_from(mailbox)), None)


def path(taken: Taken, project: str) -> str:
    name = f"{layout.moment(taken.until)}_{taken.queue}_{taken.agent}_{hex_of(taken.message_id)}.yaml"
    return f"{layout.claims(project)}/{name}"


def _put(taken: Taken, project: str) -> Put:
    fields = [("message", taken.message_id), ("queue", taken.queue), ("agent", taken.agent), ("until", stamp(taken.until))]
    fields += [("own", "yes")] if taken.own else []
    return Put(path(taken, project), frontmatter.write(fields).encode())


def _parsed(data: bytes) -> Taken | None:
    said = record.read(data, "message", "queue", "agent", "until")
    until = record.moment(said["until"]) if said else None
    if said is None or until is None:
        return None
    own = record.read(data, "own") == {"own": "yes"}
    taken = Taken(said["message"], said["queue"], said["agent"], until, own)
    return (
        taken if MESSAGE_ID.fullmatch(taken.message_id) and is_list_name(taken.queue) and is_desk_name(taken.agent) else None
    )


def _hex(place: str) -> str:
    return place.removesuffix(".md").rpartition("_")[2]


def _queue(name: str, mailbox: Mailbox) -> MailingList:
    queue = mailbox.directory().lists.get(name)
    if queue is None or queue.kind != QUEUE:
        names = [m.name for m in mailbox.directory().lists.values() if m.kind == QUEUE]
        raise refuse(
            "unknown-queue",
            f"no queue {name[:40]!r}{did_you_mean(name, names)}",
            f"queues here: {', '.join(names) or 'none yet'}",
            field="queue",
        )
    return queue


def _changeset(
    command: Claim,
    subject: str,
    now: datetime,
    *,
    status: str,
    said: list[tuple[str, Value]],
    puts: list[Put] | None = None,
    drops: list[str] | None = None,
    ids: list[str] | None = None,
) -> Changeset:
    kind = "give-back" if command.give_back else "claim"
    told = [("Message-Id", ", ".join(ids))] if ids else []
    return Changeset(
        subject=one_line(subject),
        author=command.envelope.agent,
        at=now,
        puts=tuple(puts or ()),
        drops=tuple(drops or ()),
        trailers=trailers(command.envelope, kind, *told, ("Result", status)),
        answer=answer(kind, status, command.extra, said),
    )
