"""What each query answers. All work with the daemon down, and none changes anything.

The functions that only give what a query's answer is made of are for doors that show it to people.
"""

import time
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from gitmaild import wiring
from gitmaild.adapters.client.rows import Page
from gitmaild.app import reading
from gitmaild.app.reading import Entry
from gitmaild.model.errors import MailError, Refused, refuse
from gitmaild.model.ids import check_thread_id
from gitmaild.model.layout import FOLDERS
from gitmaild.model.message import Message
from gitmaild.model.names import POSTMASTER, is_desk_name

if TYPE_CHECKING:
    from gitmaild.adapters.client.whereabouts import Whereabouts
    from gitmaild.app.answers import Answer
    from gitmaild.model.history import Recorded
    from gitmaild.rules.mailbox import Profile

Fields = dict[str, Any]

_POLL = 0.1
_COMMITS = 20
EVENTS = 1000


# --- mail


def inbox(
    desk: "Whereabouts",
    *,
    limit: int = 20,
    urgent: bool = False,
    least: str = "low",
    since: str = "",
    thread_id: str = "",
    tag: str = "",
    everything: bool = False,
    senders: str = "",
    bodies: bool = True,
) -> list[Fields]:
    """Your mail, newest first."""
    entries = listed(
        desk,
        limit=limit,
        urgent=urgent,
        least=least,
        since=since,
        thread_id=thread_id,
        tag=tag,
        everything=everything,
        senders=senders,
    )
    return [entry.fields(body=bodies) for entry in entries]


def _standing_for(desk: "Whereabouts", senders: str) -> list[str]:
    """The agents that names, roles and groups stand for."""
    names = [name.strip() for name in senders.split(",") if name.strip()]
    with desk.reader() as reader:
        return reader.people.standing_for(desk.project.slug, names)


def listed(
    desk: "Whereabouts",
    *,
    limit: int = 20,
    urgent: bool = False,
    least: str = "low",
    since: str = "",
    thread_id: str = "",
    tag: str = "",
    everything: bool = False,
    senders: str = "",
) -> list[Entry]:
    """The same as `inbox`, for who shows it to people."""
    return reading.inbox(
        desk.own_root,
        desk.agent,
        folders=FOLDERS if everything or thread_id else FOLDERS[:1],
        least=least,
        only="urgent" if urgent else "",
        since=reading.parse_since(since, wiring.wall_clock()) if since else None,
        thread=thread_id,
        tag=tag,
        senders=_standing_for(desk, senders) if senders else None,
        limit=at_most(limit),
    )


def show(desk: "Whereabouts", *, id: str) -> Fields:
    """One message: yours, or any of the project's."""
    return shown(found(desk, id))


def shown(entry: Entry) -> Fields:
    more = {"in_reply_to": entry.message.in_reply_to, "attachments": list(entry.message.attachments)}
    return entry.fields(body=True) | more


def found(desk: "Whereabouts", message_id: str) -> Entry:
    """A message from the desk of who asks, else from the mailbox. Raises `Refused` where there is none."""
    entry = reading.find(desk.root_of(desk.known_agent), desk.known_agent, message_id) if desk.known_agent else None
    if entry:
        return entry
    with desk.reader() as reader:
        message = reader.message(desk.project.slug, message_id)
    if message is None:
        raise refuse(
            "no-message",
            f"there is no message {message_id[:60]} in project {desk.project.slug}",
            "list yours with gitmaild inbox --all",
        )
    return Entry(message, "", "")


def wait(desk: "Whereabouts", *, timeout: float = 60.0, limit: int = 20, bodies: bool = False) -> list[Fields]:
    """Wait until there is unread mail, and list it; [] where none came in time."""
    return [entry.fields(body=bodies) for entry in awaited(desk, timeout=timeout, limit=limit)]


def awaited(desk: "Whereabouts", *, timeout: float, limit: int = 20) -> list[Entry]:
    """The same as `wait`, for who shows it to people."""
    root, until = desk.own_root, time.monotonic() + timeout
    while True:
        root.forget()
        if entries := reading.inbox(root, desk.agent, limit=at_most(limit)):
            return entries
        if time.monotonic() >= until:
            return []
        desk.nap(min(_POLL, max(until - time.monotonic(), 0.0)))


# --- threads


def thread(
    desk: "Whereabouts", *, thread_id: str, last: int | None = None, since: str = "", tree: bool = False
) -> list[Fields] | Fields:
    """A conversation, newest last; with `tree`, each message with its depth, and what belongs to the thread besides."""
    messages = conversation(desk, thread_id, last=last, since=since)
    if not tree:
        return [entry_of(message) for message in messages]
    return branched(thread_id, messages, about(desk, thread_id))


def conversation(desk: "Whereabouts", thread_id: str, *, last: int | None = None, since: str = "") -> list[Message]:
    messages = _of_thread(desk, thread_id)
    if since:
        floor = reading.parse_since(since, wiring.wall_clock())
        messages = [message for message in messages if message.created >= floor]
    return messages if last is None else messages[-at_most(last) :]


def _of_thread(desk: "Whereabouts", thread_id: str) -> list[Message]:
    if not _can_be(thread_id):
        return []
    with desk.reader() as reader:
        return reader.thread(desk.project.slug, thread_id)


def _can_be(thread_id: str) -> bool:
    """False for what cannot name a thread, and so has nothing: it is never taken for a file's name."""
    try:
        return bool(check_thread_id(thread_id))
    except Refused:
        return False


def about(desk: "Whereabouts", thread_id: str) -> Fields:
    """What belongs to a thread besides its messages: the issue of that id, leases, commits of the code."""
    from gitmaild.rules.mention import mentions  # noqa: PLC0415

    if not _can_be(thread_id):
        return {"issue": None, "leases": [], "commits": []}
    code = wiring.open_code(desk.worktrees)
    commits = [commit for commit in code.mentions(thread_id) if mentions(commit.message, thread_id)][:_COMMITS]
    with desk.reader() as reader:
        leases = reader.thread_leases(desk.project.slug, wiring.wall_clock(), thread_id)
    return {
        "issue": code.issue(thread_id),
        "leases": leases,
        "commits": [{"commit": c.oid, "author": c.author, "at": c.at, "subject": c.subject} for c in commits],
    }


def branched(thread_id: str, messages: list[Message], about: Fields) -> Fields:
    from gitmaild.rules.replies import tree  # noqa: PLC0415

    return {
        "thread_id": thread_id,
        "messages": [entry_of(message) | {"depth": depth} for depth, message in tree(messages)],
    } | about


def entry_of(message: Message) -> Fields:
    """A message of a conversation, which is in no folder."""
    entry = Entry(message, "", "").fields(body=True)
    return {key: value for key, value in entry.items() if key not in ("state", "path")} | {
        "in_reply_to": message.in_reply_to
    }


def summarize(desk: "Whereabouts", *, thread_id: str, plain: bool = False) -> Fields:
    """A conversation in short. `text` and `by` are there where a configured program said it; `note` where that failed."""
    from gitmaild.rules.pages import section  # noqa: PLC0415
    from gitmaild.rules.summary import summary  # noqa: PLC0415

    slug, messages = desk.project.slug, _of_thread(desk, thread_id)
    if not messages:
        return {"thread_id": thread_id, "messages": 0}
    with desk.reader() as reader:
        told = summary(thread_id, messages, reader.thread_acks(slug, messages))
    program = None if plain else wiring.summarizer(desk.home, desk.environment)
    if program is None:
        return told
    try:
        text = program.ask(f"{slug} {thread_id} {len(messages)} {messages[-1].id}", "\n".join(map(section, messages)))
    except MailError as error:
        return told | {"note": f"{error}; this is what can be told without it"}
    return told | {"by": program.command[0], "text": text}


def search(desk: "Whereabouts", *, query: str, limit: int = 20, offset: int = 0, sort: str = "date") -> Page:
    """Messages that are found, as a page that says whether there are more, and what may be missing."""
    answer = searched(desk, query=query, limit=limit, offset=offset, sort=sort)
    return Page([each.fields() for each in answer.found], note=answer.note, more=answer.more)


def searched(desk: "Whereabouts", *, query: str, limit: int, offset: int, sort: str) -> "Answer":
    """The same as `search`, for who shows it to people."""
    from gitmaild.app.answers import Question  # noqa: PLC0415

    order: Literal["newest", "relevance"] = "relevance" if sort == "relevance" else "newest"
    question = Question(desk.project.slug, query, wiring.wall_clock(), at_most(limit), max(offset, 0), order)
    return wiring.search(desk.home, desk.environment, question, lambda: desk.agent)


# --- people


def agents(desk: "Whereabouts") -> list[Fields]:
    """Who is here, on what, since when."""
    with desk.reader() as reader:
        return [profiled(profile) for profile in reader.agents(desk.project.slug)]


def whois(desk: "Whereabouts", *, name: str) -> Fields:
    """What is known of one agent. Raises `Refused` where there is none."""
    with desk.reader() as reader:
        profile = reader.profile(desk.project.slug, name) if is_desk_name(name) else None
        if profile is None:
            raise refuse(
                "no-agent",
                f"no agent {name[:60]!r} in project {desk.project.slug}{reader.guess(desk.project.slug, name)}",
                "gitmaild agents lists them",
            )
    return profiled(profile)


def profiled(profile: "Profile") -> Fields:
    return {key: value for key, value in profile.fields() if key != "reason" or value}


def acks(desk: "Whereabouts", *, mine: bool = False, sent: bool = False, overdue: bool = False) -> list[Fields]:
    """Acknowledgements that are missing: what you owe, what others owe you; everybody's for who is no agent."""
    who = desk.agent if mine or sent else desk.known_agent
    with desk.reader() as reader:
        rows = reader.acks(desk.project.slug, wiring.wall_clock(), agent=who, mine=mine or not sent, sent=sent or not mine)
    return [row for row in rows if row["overdue"] or not overdue]


# --- leases


def leases(
    desk: "Whereabouts",
    *,
    mine: bool = False,
    ended: bool = False,
    soon: int | None = None,
    reason: str = "",
    limit: int = 100,
) -> list[Fields]:
    """Who holds what, the first to end first; with `ended`, then those that were released or expired."""
    holder = desk.agent if mine else ""
    with desk.reader() as reader:
        return reader.leases(
            desk.project.slug,
            wiring.wall_clock(),
            holder=holder,
            ended=ended,
            soon=soon,
            reason=reason,
            limit=at_most(limit),
        )


def waiting(desk: "Whereabouts") -> list[Fields]:
    """Who waits for what, in the order of asking."""
    with desk.reader() as reader:
        return reader.waiting(desk.project.slug)


# --- the record


def events(
    desk: "Whereabouts",
    *,
    since: str = "",
    last: int | None = None,
    limit: int = EVENTS,
    all_projects: bool = False,
) -> list[Fields]:
    """What happened after a cursor, oldest first; each event's `commit` is the next cursor."""
    records = wiring.open_records(desk.home)
    project = "" if all_projects else desk.project.slug
    tip = records.reader.tip()
    if last is not None:
        return records.last_events(at_most(last), since, tip, project=project)
    return list(islice(records.events(since, tip, project=project), at_most(limit)))


def log(
    desk: "Whereabouts", *, limit: int = 50, author: str = "", thread_id: str = "", changes: bool = False
) -> list[Fields]:
    """The newest commits of the mailbox; with `changes`, each with the paths that it put, changed or dropped."""
    if (author and author != POSTMASTER and not is_desk_name(author)) or (thread_id and not _can_be(thread_id)):
        return []
    records = wiring.open_records(desk.home)
    found = records.log(desk.project.slug, limit=at_most(limit), author=author, thread_id=thread_id, changes=changes)
    return [_recorded(commit, changes=changes) for commit in found]


def _recorded(commit: "Recorded", *, changes: bool) -> Fields:
    from gitmaild.rules.events import when  # noqa: PLC0415

    at = (commit.trailers.get("Accepted") if commit.kind else "") or when(commit)
    told = logged(commit.oid, commit.author, at, commit.subject, commit.trailers)
    paths = [{"path": change.path, "before": change.before, "after": change.after} for change in commit.changes]
    return told | ({"changes": paths} if changes else {})


def logged(oid: str, author: str, at: str, subject: str, trailers: dict[str, str]) -> Fields:
    return {"commit": oid, "author": author, "at": at, "subject": subject, "trailers": trailers}


def audit(desk: "Whereabouts", *, thread_id: str, at: str = "") -> Fields:
    """What each participant of a thread had received, read and acknowledged by then."""
    now = wiring.wall_clock()
    moment: datetime = reading.parse_since(at, now) if at else now
    return wiring.open_records(desk.home).audit(desk.project.slug, thread_id, moment)


def status(desk: "Whereabouts") -> Fields:
    """Is the daemon running, what waits, what is wrong."""
    return wiring.look(desk.home, desk.environment)


def at_most(limit: int) -> int:
    """A limit that is one: 0 and less would be no limit, and no list needs a million."""
    return min(max(limit, 1), 1_000_000)
