"""Planning what was read or acknowledged: a message moves to a further folder of its recipient, and never back.

Anybody may read the log, so it does not say which message it was where its reader is a blind recipient.
"""

from datetime import datetime

from gitmaild.model import layout
from gitmaild.model.changeset import Changeset, Put
from gitmaild.model.commands import File
from gitmaild.model.errors import refuse
from gitmaild.model.message import Message
from gitmaild.rules.claims import settled_claims
from gitmaild.rules.commit import answer, one_line, trailers
from gitmaild.rules.due import BLIND, is_open, settled
from gitmaild.rules.mailbox import Mailbox


def file(command: File, mailbox: Mailbox, now: datetime) -> Changeset:
    envelope = command.envelope
    puts: list[Put] = []
    drops: list[str] = []
    told: list[str] = []
    for an_id in command.ids:
        message = mailbox.message(an_id)
        held = mailbox.held(envelope.agent, layout.file_name(message)) if message else None
        if message is None or held is None:
            raise refuse(
                "unknown-message",
                f"ids: {an_id} is not in {envelope.agent}'s mail",
                "ids are the first line of every message; list yours with ls inbox read acked",
                field="ids",
            )
        told.append(an_id if is_open(envelope.agent, message, mailbox) else BLIND)
        if layout.FOLDERS.index(held.folder) < layout.FOLDERS.index(command.folder):
            hour = f"{layout.folder(mailbox.project, envelope.agent, command.folder)}/{layout.shard(message.created)}"
            puts.append(Put(f"{mailbox.leaf(hour)}/{layout.file_name(message)}", oid=mailbox.tree.oid(held.path)))
            drops += [held.path, *(_settled(message, envelope.agent, mailbox) if command.folder == "acked" else ())]
    named = ", ".join(an_id for an_id in told if an_id != BLIND)
    verb = "ack" if command.folder == "acked" else "read"
    return Changeset(
        subject=one_line(f"{verb}: {envelope.agent}: {', '.join(told)}"),
        author=envelope.agent,
        at=now,
        puts=tuple(puts),
        drops=tuple(drops),
        trailers=trailers(envelope, verb, ("Message-Id", named), ("Result", "done")),
        answer=answer(verb, "done", command.extra, [("ids", tuple(told))]) if envelope.drop else "",
    )


def _settled(message: Message, agent: str, mailbox: Mailbox) -> list[str]:
    return [*settled(message, agent, mailbox), *settled_claims(message, agent, mailbox)]
