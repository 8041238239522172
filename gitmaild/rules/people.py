"""Planning who is here: an agent registers or retires, a project is founded."""

from datetime import datetime

from gitmaild.model import layout
from gitmaild.model.changeset import Changeset, Put
from gitmaild.model.commands import Found, Register, Retire
from gitmaild.model.errors import refuse
from gitmaild.model.ids import stamp
from gitmaild.model.names import OVERSEER, check_name, suggestions
from gitmaild.model.settings import Settings
from gitmaild.rules import frontmatter
from gitmaild.rules.commit import answer, one_line, trailers
from gitmaild.rules.mailbox import Mailbox, Profile


def register(command: Register, mailbox: Mailbox, now: datetime, settings: Settings) -> Changeset:
    envelope = command.envelope
    before = mailbox.profile(envelope.agent)
    if before is None and envelope.agent != OVERSEER:
        check_name(envelope.agent, taken=mailbox.taken(), mode=settings.names)

    def latest(new: str | None, old: str) -> str:
        return old if new is None else new

    after = Profile(
        envelope.agent,
        program=latest(command.program, before.program if before else ""),
        model=latest(command.model, before.model if before else ""),
        task_description=latest(command.task_description, before.task_description if before else ""),
        registered=before.registered if before else stamp(now),
        updated=before.updated if before else stamp(now),
    )
    changed = after != before
    if changed and before:
        after = Profile(*(stamp(now) if key == "updated" else getattr(after, key) for key in after.__dataclass_fields__))
    what = " ".join(word for word in (after.program, after.model) if word)
    verb = "register" if before is None else "update" if changed else "register again"
    return Changeset(
        subject=one_line(f"{verb}: {envelope.agent}{f' ({what})' if what else ''}"),
        author=envelope.agent,
        at=now,
        puts=(_profile_put(envelope.project, after),) if changed else (),
        trailers=trailers(envelope, "register", ("Agent", envelope.agent), ("Result", "registered")),
        answer=answer("register", "registered", command.extra, after.fields()),
    )


def retire(command: Retire, mailbox: Mailbox, now: datetime) -> Changeset:
    envelope = command.envelope
    if envelope.agent not in (command.agent, OVERSEER):
        raise refuse(
            "not-your-desk",
            f"{envelope.agent} cannot retire {command.agent}",
            "an agent retires itself, or the Overseer retires it: gitmaild --as Overseer retire NAME",
            field="agent",
        )
    before = mailbox.profile(command.agent)
    if before is None or command.agent == OVERSEER:
        names = ", ".join(n for n in mailbox.agents() if n != OVERSEER) or "nobody"
        raise refuse("unknown-agent", f"no agent {command.agent!r}", f"agents here: {names}", field="agent")
    after = Profile(
        before.name,
        before.program,
        before.model,
        before.task_description,
        before.registered,
        before.updated if before.state == "retired" else stamp(now),
        "retired",
        command.reason or before.reason,
    )
    return Changeset(
        subject=one_line(f"retire: {command.agent}{f': {command.reason}' if command.reason else ''}"),
        author=envelope.agent,
        at=now,
        puts=(_profile_put(envelope.project, after),) if after != before else (),
        trailers=trailers(envelope, "retire", ("Agent", command.agent), ("Result", "retired")),
        answer=answer("retire", "retired", command.extra, [("agent_name", command.agent)]),
    )


def found(command: Found, mailbox: Mailbox, now: datetime) -> Changeset:
    envelope = command.envelope
    overseer = Profile(OVERSEER, "gitmaild", "", "the person who oversees this project", stamp(now), stamp(now))
    about = frontmatter.write([("project", envelope.project), ("founded", stamp(now))])
    puts = [Put(layout.project_file(envelope.project), about.encode()), _profile_put(envelope.project, overseer)]
    if mailbox.tree.read("FORMAT") is None:
        puts.append(Put("FORMAT", f"{layout.FORMAT}\n".encode()))
    return Changeset(
        subject=f"found: project {envelope.project}",
        author=OVERSEER,
        at=now,
        puts=tuple(puts),
        trailers=trailers(envelope, "found", ("Result", "founded")),
    )


def free_name(seed: str, mailbox: Mailbox) -> str:
    """An unused adjective + noun name, for an agent that registers without one."""
    return suggestions(seed, mailbox.taken(), count=1)[0]


def _profile_put(project: str, profile: Profile) -> Put:
    return Put(layout.profile(project, profile.name), frontmatter.write(profile.fields()).encode())
