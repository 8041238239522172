"""Recipients to fates: who gets a copy, at whose door it waits, who bounces and why. Each once, in the order written."""

from collections.abc import Iterable
from dataclasses import replace

from gitmaild.model.directory import BOARD, GROUP, QUEUE
from gitmaild.model.names import EVERYONE, OVERSEER, POSTMASTER, Address, parse_address
from gitmaild.model.settings import Settings
from gitmaild.rules.contacts import Letter, admit
from gitmaild.rules.fate import Bounce, Deliver, Fate, Hold, Post
from gitmaild.rules.fields import did_you_mean
from gitmaild.rules.mailbox import Mailbox, projects

_POSTED = {QUEUE: "queues", BOARD: "boards"}


def route(recipients: Iterable[str], letter: Letter, mailbox: Mailbox, settings: Settings) -> list[Fate]:
    """Decide the fate of every recipient. A group's members count once, also where they are named beside it."""
    fates: dict[str, Fate] = {}
    for text in recipients:
        for fate in _expand(text, letter, mailbox):
            key = _key(fate)
            if key not in fates or isinstance(fates[key], Bounce):
                fates[key] = fate
    return [_admitted(fate, letter, mailbox, settings) for fate in fates.values()]


def _admitted(fate: Fate, letter: Letter, mailbox: Mailbox, settings: Settings) -> Fate:
    if not isinstance(fate, Deliver):
        return fate
    there = mailbox.of(fate.project)
    admitted = admit(letter, fate.agent, there, settings)
    if isinstance(admitted, Hold):
        return replace(admitted, project=fate.project)
    return fate if isinstance(admitted, Deliver) else admitted


def _key(fate: Fate) -> str:
    match fate:
        case Bounce(address=address):
            return address.lower()
        case Post(where=where, name=name):
            return f"{where}/{name}"
        case _:
            return f"{fate.agent}@{fate.project}".lower().removesuffix("@")


def _expand(text: str, letter: Letter, mailbox: Mailbox) -> list[Fate]:
    address = parse_address(text)
    if address.project and address.project != mailbox.project:
        return [_elsewhere(text, address, mailbox)]
    directory = mailbox.directory()
    mailing = directory.find(address.name) if mailbox.profile(address.name) is None else None
    if address.name == EVERYONE or (mailing and mailing.kind == GROUP):
        everyone = mailbox.everyone()
        members = directory.holders(address.name, everyone)
        return [fate for name in members if name != letter.sender for fate in _member(name, mailbox)]
    if mailing:
        return [Post(_POSTED[mailing.kind], mailing.name)]
    if role := directory.roles.get(address.name):
        if not role.holder:
            return [Bounce(text, "vacant", f"nobody holds the role {role.name}")]
        fate = _agent(text, role.holder, mailbox)
        return [Deliver(fate.agent, role=role.name) if isinstance(fate, Deliver) else fate]
    return [_agent(text, address.name, mailbox)]


def _member(name: str, mailbox: Mailbox) -> list[Fate]:
    """A group's member. Who has retired, or was never here, is passed over: the group means who is there."""
    profile = mailbox.profile(name)
    return [Deliver(name)] if profile and profile.state == "active" else []


def _agent(text: str, name: str, mailbox: Mailbox) -> Fate:
    """The fate of an agent that is named, '' or a bounce that says what is wrong with the name."""
    if name == POSTMASTER:
        return Bounce(text, "no-reader", "Postmaster reads no mail; see its note for what to do")
    profile = mailbox.profile(name)
    if profile is None:
        agents = [other for other in mailbox.agents() if other != OVERSEER]
        guess = did_you_mean(name, [*agents, *mailbox.directory().names(), OVERSEER])
        known = "" if guess else f"; agents here: {', '.join(agents[:8])}" if agents else "; nobody has registered yet"
        return Bounce(text, "unknown-agent", f"no agent {name!r}{guess or known}")
    if profile.state == "retired":
        because = f": {' '.join(profile.reason.split())}" if profile.reason else ""
        return Bounce(text, "retired", f"{name} has retired{because}")
    return Deliver(name)


def _elsewhere(text: str, address: Address, mailbox: Mailbox) -> Fate:
    """An agent, or the holder of a role, in another project of this home."""
    there = mailbox.of(address.project)
    if not there.exists():
        guess = did_you_mean(address.project, projects(mailbox.tree))
        return Bounce(text, "unknown-project", f"no project {address.project!r} in this home{guess}")
    role = there.directory().roles.get(address.name)
    if address.name == EVERYONE or there.directory().find(address.name):
        return Bounce(
            text, "other-project", f"{address.name} is a list of {address.project}, and takes mail from there only"
        )
    if role and not role.holder:
        return Bounce(text, "vacant", f"nobody holds the role {role.name} in {address.project}")
    fate = _agent(text, role.holder if role else address.name, there)
    if not isinstance(fate, Deliver):
        return fate
    return Deliver(fate.agent, address.project, role=str(address) if role else "")
