"""Recipients to fates: who gets a copy, who bounces and why. Each once, in the order written."""

from collections.abc import Iterable
from dataclasses import dataclass

from gitmaild.model.names import EVERYONE, OVERSEER, POSTMASTER, parse_address
from gitmaild.rules.fields import did_you_mean
from gitmaild.rules.mailbox import Mailbox


@dataclass(frozen=True, slots=True)
class Deliver:
    agent: str


@dataclass(frozen=True, slots=True)
class Bounce:
    """Understood, but it cannot be delivered; the sender is told."""

    address: str
    code: str
    reason: str

    def text(self) -> str:
        return f"{self.address}: {self.reason} ({self.code})"


Fate = Deliver | Bounce


def route(recipients: Iterable[str], sender: str, mailbox: Mailbox) -> list[Fate]:
    """Decide the fate of every recipient. A group's members count once, also where they are named beside it."""
    fates: dict[str, Fate] = {}
    for address in recipients:
        for fate in _expand(address, sender, mailbox):
            key = (fate.agent if isinstance(fate, Deliver) else fate.address).lower()
            if key not in fates or isinstance(fates[key], Bounce):
                fates[key] = fate
    return list(fates.values())


def _expand(text: str, sender: str, mailbox: Mailbox) -> list[Fate]:
    address = parse_address(text)
    if address.project and address.project != mailbox.project:
        return [Bounce(text, "other-project", f"no agent {text!r}: mail between projects is not set up")]
    if address.name == EVERYONE:
        return [Deliver(name) for name in mailbox.everyone() if name != sender]
    if address.name == POSTMASTER:
        return [Bounce(text, "no-reader", "Postmaster reads no mail; see its note for what to do")]
    profile = mailbox.profile(address.name)
    if profile is None:
        agents = [name for name in mailbox.agents() if name != OVERSEER]
        guess = did_you_mean(address.name, [*agents, OVERSEER])
        known = "" if guess else f"; agents here: {', '.join(agents[:8])}" if agents else "; nobody has registered yet"
        return [Bounce(text, "unknown-agent", f"no agent {address.name!r}{guess or known}")]
    if profile.state == "retired":
        because = f": {' '.join(profile.reason.split())}" if profile.reason else ""
        return [Bounce(text, "retired", f"{address.name} has retired{because}")]
    return [Deliver(address.name)]
