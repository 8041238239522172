"""What can be asked about people and what stands for them: contacts, held mail, roles, groups, queues, boards."""

from collections.abc import Iterable
from datetime import datetime

from gitmaild.app.ports import Repo
from gitmaild.model.errors import refuse
from gitmaild.model.ids import stamp
from gitmaild.model.names import EVERYONE, POSTMASTER, parse_address
from gitmaild.model.settings import Settings
from gitmaild.rules import foreign, held, render
from gitmaild.rules.boards import files
from gitmaild.rules.claims import taken_from
from gitmaild.rules.contacts import contacts, policy_of, quiet_until
from gitmaild.rules.fields import did_you_mean
from gitmaild.rules.mailbox import Mailbox

Row = dict[str, object]


class People:
    """Answers from the tip, as it is at each question, in the shapes that every door shows."""

    def __init__(self, repo: Repo, settings: Settings) -> None:
        self._repo, self._settings = repo, settings

    def door(self, project: str, agent: str, now: datetime) -> Row:
        """Whose mail an agent takes: its policy, what it has said of whom, and what waits for it."""
        mailbox = self._mailbox(project)
        quiet = quiet_until(agent, mailbox)
        return {
            "agent": agent,
            "policy": policy_of(agent, mailbox, self._settings),
            "dnd_until": stamp(quiet) if quiet and quiet > now else "",
            "contacts": [
                {"agent": said.other, "state": said.state, "at": stamp(said.at), "reason": said.reason}
                for said in contacts(agent, mailbox)
            ],
            "held": [
                {
                    "id": one.message_id,
                    "from": one.sender,
                    "until": stamp(one.until),
                    "because": one.because,
                    "subject": message.subject if (message := held.original(one, mailbox)) else "",
                }
                for one in held.waiting(mailbox, recipient=agent)
            ],
        }

    def roles(self, project: str) -> list[Row]:
        return [
            {
                "role": role.name,
                "agent": role.holder,
                "since": role.since,
                "about": role.about,
                "lease_seconds": role.lease_seconds,
            }
            for role in self._mailbox(project).directory().roles.values()
        ]

    def lists(self, project: str, kind: str) -> list[Row]:
        """Groups, queues or boards; queues and boards with how much is in them, queues with who has taken what."""
        mailbox = self._mailbox(project)
        directory = mailbox.directory()
        names = [name for name in directory.names() if (mailing := directory.find(name)) and mailing.kind == kind]
        rows: list[Row] = []
        for name in dict.fromkeys(names):
            mailing = directory.find(name)
            assert mailing is not None
            row: Row = {"name": name, "members": list(mailing.members), "about": mailing.about}
            if kind == "group":
                row["agents"] = directory.holders(name, mailbox.everyone())
                row["lease_seconds"] = mailing.lease_seconds
            else:
                row["messages"] = sum(1 for _ in files(f"{kind}s", name, mailbox))
            if kind == "queue":
                row["taken"] = [
                    {"id": taken.message_id, "agent": taken.agent, "until": stamp(taken.until)}
                    for taken in taken_from(mailbox)
                    if taken.queue == name
                ]
            rows.append(row)
        return rows

    def standing_for(self, project: str, names: Iterable[str]) -> list[str]:
        """The agents that addresses stand for now: themselves, holders of roles, members of groups. Raises `Refused`."""
        mailbox = self._mailbox(project)
        directory = mailbox.directory()
        found: list[str] = []
        for text in names:
            name = foreign.address(str(parse_address(text, field="from")), project, project)
            known = [*mailbox.agents(), POSTMASTER, EVERYONE, *directory.names()]
            if "@" not in name and name not in known:
                guess = did_you_mean(name, known)
                raise refuse("unknown-agent", f"from: no agent, role or group {name!r}{guess}", "see gitmaild agents")
            found += [name] if "@" in name else directory.holders(name, mailbox.everyone())
        return list(dict.fromkeys(found))

    def posted(self, project: str, kind: str, name: str, *, limit: int = 0) -> list[Row]:
        """The messages of a queue or a board, newest first. `kind` is `queue` or `board`."""
        mailbox = self._mailbox(project)
        paths = [path for _, path in files(f"{kind}s", name, mailbox)][::-1]
        found = (render.readable(mailbox.tree.read(path)) for path in (paths[:limit] if limit else paths))
        return [
            {
                "id": message.id,
                "thread_id": message.thread_id,
                "from": message.sender,
                "subject": message.subject,
                "created": stamp(message.created),
                "importance": message.importance,
                "body": message.body,
            }
            for message in found
            if message
        ]

    def has_list(self, project: str, kind: str, name: str) -> bool:
        mailing = self._mailbox(project).directory().find(name)
        return mailing is not None and mailing.kind == kind

    def _mailbox(self, project: str) -> Mailbox:
        return Mailbox(self._repo.tree(self._repo.tip()), project)
