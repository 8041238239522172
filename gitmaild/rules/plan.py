"""Commands to changesets. Pure: the same command, tree and time give the same commit.

Each command of a pass is planned on the result of the one before it. What a plan writes is new paths named by ids, or
moves of blobs that are there; nothing that was accepted is ever rewritten.
"""

from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import assert_never

from gitmaild.model import layout
from gitmaild.model.changeset import Changeset, Put
from gitmaild.model.commands import (
    BindRole,
    Claim,
    Command,
    ContactAnswer,
    ContactPolicy,
    ContactRequest,
    EditList,
    Envelope,
    File,
    Found,
    Quiet,
    Register,
    Release,
    Renew,
    Reserve,
    Retire,
    Send,
)
from gitmaild.model.errors import Refusal, Refused, refuse
from gitmaild.model.ids import note_id, stamp
from gitmaild.model.message import Message
from gitmaild.model.names import POSTMASTER, check_name, is_agent_name
from gitmaild.model.settings import Settings
from gitmaild.rules import frontmatter, render
from gitmaild.rules.claims import claim, give_back
from gitmaild.rules.commit import one_line, trailers
from gitmaild.rules.contact_plan import answer_contact, ask, set_policy, set_quiet
from gitmaild.rules.copies import copies
from gitmaild.rules.directory_plan import bind_role, edit_list
from gitmaild.rules.filed import file
from gitmaild.rules.lease_end import release, renew
from gitmaild.rules.loops import LOOP
from gitmaild.rules.mailbox import Mailbox
from gitmaild.rules.people import found, register, retire
from gitmaild.rules.reserve import reserve
from gitmaild.rules.send import send


def plan(command: Command, mailbox: Mailbox, now: datetime, settings: Settings) -> Changeset | Refusal:
    """What accepting `command` at `now` does to the tree, or why it is not accepted."""
    try:
        _check_speaker(command, mailbox)
        repeated = _repeated(command.envelope, mailbox, now)
        if repeated:
            return repeated
        changeset = _planned(command, mailbox, now, settings)
        return _remembering(command.envelope, changeset)
    except Refused as refused:
        return refused.refusal


def refusal_note(refusal: Refusal, envelope: Envelope, file: str, mailbox: Mailbox, now: datetime) -> Changeset | None:
    """The commit that records a refusal: a note from Postmaster to the sender. None for who has no inbox
    to get it, and for a program that would answer it by itself."""
    if mailbox.profile(envelope.agent) is None or refusal.code == LOOP:
        return None
    note = Message(
        id=note_id(envelope.id),
        thread_id=note_id(envelope.id),
        sender=POSTMASTER,
        to=(envelope.agent,),
        created=now,
        importance="high",
        subject=f"refused: {file}"[:200],
        extra=(("code", refusal.code),),
        body=f"\n{render.refusal_text(refusal, file)}\n\nYour file is in rejected/, its bytes unchanged. "
        "Mend a copy and drop it again.\n",
    )
    # Anybody may read the log; a reason that names blind recipients stays in the note.
    is_blind = refusal.field == "bcc" or "bcc" in refusal.reason.lower()
    reason = "" if is_blind else f" {refusal.reason}"
    return Changeset(
        subject=one_line(f"refuse: {envelope.agent}: {file}:{reason} ({refusal.code})"),
        author=envelope.agent,
        at=now,
        puts=tuple(copies(note, [envelope.agent], mailbox)),
        trailers=(
            ("Command", f"refuse {envelope.id}"),
            ("Project", envelope.project),
            ("Note-Id", note.id),
            ("From", envelope.agent),
            ("Result", refusal.code),
        ),
        messages=(note,),
    )


def _planned(  # noqa: C901, PLR0912 - a case for each command
    command: Command, mailbox: Mailbox, now: datetime, settings: Settings
) -> Changeset:
    match command:
        case Send():
            return send(command, mailbox, now, settings)
        case Register():
            return register(command, mailbox, now, settings)
        case Retire():
            return retire(command, mailbox, now)
        case File():
            return file(command, mailbox, now)
        case Reserve():
            return reserve(command, mailbox, now, settings)
        case Renew():
            return renew(command, mailbox, now, settings)
        case Release():
            return release(command, mailbox, now)
        case ContactPolicy():
            return set_policy(command, mailbox, now, settings)
        case ContactRequest():
            return ask(command, mailbox, now)
        case ContactAnswer():
            return answer_contact(command, mailbox, now)
        case Quiet():
            return set_quiet(command, mailbox, now)
        case BindRole():
            return bind_role(command, mailbox, now, settings)
        case EditList():
            return edit_list(command, mailbox, now, settings)
        case Claim():
            return give_back(command, mailbox, now) if command.give_back else claim(command, mailbox, now, settings)
        case Found():
            return found(command, mailbox, now)
        case _:
            assert_never(command)


def _check_speaker(command: Command, mailbox: Mailbox) -> None:
    """Only who is registered, and has not retired, may ask for anything but to be registered."""
    agent = command.envelope.agent
    if isinstance(command, Register | Found):
        return
    profile = mailbox.profile(agent)
    if profile is None and not is_agent_name(agent):
        check_name(agent, taken=mailbox.taken())
    if profile is None:
        raise refuse(
            "not-registered",
            f"from_agent not registered: {agent}",
            f"run gitmaild register {agent}, or drop a file with the lines ---, kind: register, --- into this outbox first",
        )
    if profile.state == "retired":
        raise refuse("retired", f"{agent} has retired", "drop a kind: register to come back")


def _repeated(envelope: Envelope, mailbox: Mailbox, now: datetime) -> Changeset | None:
    """The first answer again, for a `request_id` that was used before with the same bytes."""
    if not envelope.request_id:
        return None
    data = mailbox.tree.read(_request_path(envelope))
    if data is None:
        return None
    fields, body = frontmatter.read(data, limit=1 << 20)
    if fields["sha256"].value != envelope.sha256:
        raise refuse(
            "request-id-used",
            f"request_id {envelope.request_id!r} was used on {fields['at'].value} with other bytes",
            "use a fresh request_id for a fresh request",
            field="request_id",
        )
    return Changeset(
        subject=one_line(f"repeat: {envelope.agent}: request {envelope.request_id} again"),
        author=envelope.agent,
        at=now,
        trailers=trailers(envelope, "repeat", ("Result", "repeated")),
        answer=body,
    )


def _remembering(envelope: Envelope, changeset: Changeset) -> Changeset:
    """Keep the answer beside the sender's profile, where a `request_id` asks for it."""
    said = dict(changeset.trailers)
    answer = changeset.answer
    if not envelope.request_id or not (answer or "Thread-Id" in said):
        return changeset
    if not answer:
        ids = [("id", said["Message-Id"]), ("thread_id", said["Thread-Id"]), ("status", said["Result"])]
        answer = frontmatter.write(ids) + frontmatter.write_lines("recipients", changeset.recipients)
    kept = frontmatter.write([("sha256", envelope.sha256), ("at", stamp(changeset.at))])
    put = Put(_request_path(envelope), frontmatter.fence(kept, answer).encode())
    return replace(changeset, puts=(*changeset.puts, put))


def _request_path(envelope: Envelope) -> str:
    return layout.request(envelope.project, envelope.agent, sha256(envelope.request_id.encode()).hexdigest())
