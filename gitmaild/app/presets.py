"""What a preset would do to a project, found out by planning it on the tip and landing nothing."""

from dataclasses import replace
from datetime import datetime

from gitmaild.app.ports import Repo
from gitmaild.model.commands import Envelope
from gitmaild.model.directory import MailingList, Role
from gitmaild.model.errors import Refusal, Refused
from gitmaild.model.preset import Entry, Preset, Step
from gitmaild.model.settings import Settings
from gitmaild.rules import preset as rules
from gitmaild.rules.directory import Directory
from gitmaild.rules.mailbox import Mailbox
from gitmaild.rules.plan import plan


def rehearse(repo: Repo, envelope: Envelope, preset: Preset, now: datetime, settings: Settings) -> list[Step]:
    """Plan every entry on its predecessor's result, as the daemon will. Raises `Refused` for the first that it would refuse.

    `envelope` says which project, and who asks.
    """
    batch = repo.batch(repo.tip())
    steps = []
    try:
        for entry in preset.entries:
            mailbox = Mailbox(batch.tree, envelope.project)
            before = _known(entry, mailbox.directory())
            planned = plan(replace(entry.command, envelope=envelope), mailbox, now, settings)
            if isinstance(planned, Refusal):
                raise rules.located(Refused(planned), entry.where)
            batch.add(planned)
            after = _known(entry, Mailbox(batch.tree, envelope.project).directory())
            assert after is not None
            changes = rules.changes(before, after)
            steps.append(Step(entry, "made" if before is None else "changed" if changes else "unchanged", changes))
    finally:
        repo.discard()
    return steps


def _known(entry: Entry, directory: Directory) -> Role | MailingList | None:
    if entry.kind == "role":
        return directory.roles.get(entry.name)
    found = directory.lists.get(entry.name)
    return found if found and found.kind == entry.kind else None
