"""Planning who holds a role, and who is in a group, a queue, or what a board keeps. Who may say so is a setting."""

from dataclasses import replace
from datetime import datetime

from gitmaild.model import layout
from gitmaild.model.changeset import Changeset, Put
from gitmaild.model.commands import BindRole, EditList, Envelope
from gitmaild.model.directory import BOARD, GROUP, MailingList, Role
from gitmaild.model.errors import refuse
from gitmaild.model.ids import stamp
from gitmaild.model.message import Value
from gitmaild.model.names import EVERYONE, OVERSEER, is_list_name, is_role_name
from gitmaild.model.settings import Settings
from gitmaild.rules.boards import files
from gitmaild.rules.commit import answer, one_line, trailers
from gitmaild.rules.directory import Directory, render_list, render_roles
from gitmaild.rules.fields import did_you_mean
from gitmaild.rules.mailbox import Mailbox


def bind_role(command: BindRole, mailbox: Mailbox, now: datetime, settings: Settings) -> Changeset:
    envelope, directory = command.envelope, mailbox.directory()
    _check_editor(envelope, mailbox, settings)
    if not is_role_name(command.role):
        raise refuse(
            "bad-role", f"{command.role[:40]!r} cannot name a role", "use one capitalised word: Orchestrator", field="role"
        )
    before = directory.roles.get(command.role)
    if command.unbind and before is None:
        near = did_you_mean(command.role, directory.roles)
        raise refuse("unknown-role", f"no role {command.role!r}{near}", "list them with gitmaild role list", field="role")
    if command.agent:
        _check_member(command.agent, mailbox, field="agent", agents_only=True)
    after = before or Role(command.role)
    holder = "" if command.unbind else after.holder if command.agent is None else command.agent
    after = replace(
        after,
        holder=holder,
        since=after.since if after.holder == holder else stamp(now) if holder else "",
        about=after.about if command.about is None else command.about,
        lease_seconds=after.lease_seconds if command.lease_seconds is None else command.lease_seconds,
    )
    roles = directory.roles | {command.role: after}
    was = f", who follows {before.holder}" if before and before.holder not in ("", holder) and holder else ""
    told = f"{command.role} is {holder}{was}" if holder else f"{command.role} is held by nobody"
    kind = "role-unbind" if command.unbind else "role-bind"
    said: list[tuple[str, Value]] = [("role", after.name), ("agent", holder), ("about", after.about)]
    said += [("lease_seconds", str(after.lease_seconds))] if after.lease_seconds else []
    return _changeset(
        envelope, kind, f"role: {told}", now,
        puts=[Put(layout.roles(mailbox.project), render_roles(roles))] if after != before else [],
        status="bound" if holder else "vacant", said=said, extra=command.extra,
    )  # fmt: skip


def edit_list(command: EditList, mailbox: Mailbox, now: datetime, settings: Settings) -> Changeset:
    envelope, directory = command.envelope, mailbox.directory()
    _check_editor(envelope, mailbox, settings)
    before = directory.lists.get(command.name)
    _check_name(command, before, mailbox)
    path = f"{layout.lists(mailbox.project)}/{command.name}.yaml"
    if command.delete:
        return _deleted(command, before, path, mailbox, now)
    after = _edited(before or MailingList(command.name, command.kind), command)
    for member in after.members:
        if before is None or member not in before.members:
            _check_member(member, mailbox, field="members")
    _check_rings(after, directory)
    who = ", ".join(after.members) if command.kind != BOARD else f"keeps {after.keep or settings.board_keep}"
    said: list[tuple[str, Value]] = [("name", after.name), ("members", after.members), ("about", after.about)]
    said += [(k, str(n)) for k in ("keep", "claim_seconds", "lease_seconds") if (n := getattr(after, k))]
    return _changeset(
        envelope, command.kind, f"{command.kind}: {after.name}: {who or 'nobody'}", now,
        puts=[Put(path, render_list(after))] if after != before else [],
        status="made" if before is None else "changed" if after != before else "unchanged", said=said, extra=command.extra,
    )  # fmt: skip


def _check_editor(envelope: Envelope, mailbox: Mailbox, settings: Settings) -> None:
    """Only the Overseer, or who is named in the setting `directory_editors`, says who stands for whom."""
    if envelope.agent == OVERSEER:
        return
    editors = settings.directory_editors
    directory = mailbox.directory()
    if any(envelope.agent in directory.holders(name, mailbox.everyone()) for name in editors):
        return
    allowed = ", ".join((OVERSEER, *editors))
    raise refuse(
        "not-an-editor",
        f"{envelope.agent} may not change roles, groups, queues and boards",
        f"ask one of {allowed}; the setting directory_editors says who may",
    )


def _check_name(command: EditList, before: MailingList | None, mailbox: Mailbox) -> None:
    if not is_list_name(command.name):
        raise refuse(
            "bad-name",
            f"{command.name[:40]!r} cannot name a {command.kind}",
            "use lower case letters and dashes, 2 to 40: review-team",
            field="name",
        )
    if before is not None and before.kind != command.kind:
        way_out = "choose another name, or delete that one"
        raise refuse("name-taken", f"{command.name} is a {before.kind}", way_out, field="name")
    if before is None and command.delete:
        names = [n for n, m in mailbox.directory().lists.items() if m.kind == command.kind]
        near = did_you_mean(command.name, names)
        raise refuse(
            f"unknown-{command.kind}",
            f"no {command.kind} {command.name!r}{near}",
            f"list them with gitmaild {command.kind} list",
            field="name",
        )


def _edited(before: MailingList, command: EditList) -> MailingList:
    members = before.members if command.members is None else command.members
    kept = [member for member in (*members, *command.add) if member not in command.remove]
    return replace(
        before,
        members=tuple(dict.fromkeys(kept)),
        about=before.about if command.about is None else command.about,
        keep=before.keep if command.keep is None else command.keep,
        claim_seconds=before.claim_seconds if command.claim_seconds is None else command.claim_seconds,
        lease_seconds=before.lease_seconds if command.lease_seconds is None else command.lease_seconds,
    )


def _check_member(name: str, mailbox: Mailbox, *, field: str, agents_only: bool = False) -> None:
    directory = mailbox.directory()
    if mailbox.profile(name) is not None:
        return
    mailing = directory.find(name)
    if not agents_only and (name == EVERYONE or name in directory.roles or (mailing and mailing.kind == GROUP)):
        return
    known = [*mailbox.agents(), *([] if agents_only else directory.names())]
    what = "agent" if agents_only else "agent, role or group"
    raise refuse(
        "unknown-agent", f"{field}: no {what} {name!r}{did_you_mean(name, known)}", "see gitmaild agents", field=field
    )


def _check_rings(after: MailingList, directory: Directory) -> None:
    """A group that holds itself, at whatever depth, would stand for nobody in particular."""
    for member in after.members:
        if member == after.name or directory.leads_to(member, after.name):
            raise refuse(
                "group-cycle", f"{member} holds {after.name} already", "leave one of them out of the other", field="members"
            )


def _deleted(command: EditList, before: MailingList | None, path: str, mailbox: Mailbox, now: datetime) -> Changeset:
    """A queue or a board goes with what is in it; the messages themselves stay in the mailbox."""
    drops = [path]
    if before and before.kind != GROUP:
        drops += [at for _, at in files("boards" if before.kind == BOARD else "queues", command.name, mailbox)]
    return _changeset(
        command.envelope, command.kind, f"delete: {command.kind} {command.name}", now,
        drops=drops, status="deleted", said=[("name", command.name)], extra=command.extra,
    )  # fmt: skip


def _changeset(
    envelope: Envelope,
    kind: str,
    subject: str,
    now: datetime,
    *,
    status: str,
    said: list[tuple[str, Value]],
    extra: tuple[tuple[str, Value], ...],
    puts: list[Put] | None = None,
    drops: list[str] | None = None,
) -> Changeset:
    return Changeset(
        subject=one_line(subject),
        author=envelope.agent,
        at=now,
        puts=tuple(puts or ()),
        drops=tuple(drops or ()),
        trailers=trailers(envelope, kind, ("Result", status)),
        answer=answer(kind, status, extra, said),
    )
