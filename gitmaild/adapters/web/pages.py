"""The pages, each a question or two of the vocabulary and a template."""

from collections.abc import Callable
from datetime import timedelta
from itertools import groupby
from typing import Any

from gitmaild.adapters.web import charts
from gitmaild.adapters.web.visit import Form, Visit
from gitmaild.model.errors import Refused, refuse
from gitmaild.model.ids import stamp
from gitmaild.model.message import Message
from gitmaild.model.names import OVERSEER, POSTMASTER

Fields = dict[str, Any]
Page = Callable[[Visit], str]

_PAGE = 50
_THREADS = 400
_THREAD = 100
_DESK = 200
_COMMITS = 2000
_HOURS = 48


def _fields(message: Message, project: str, states: dict[str, str]) -> Fields:
    """A message as a line of a list."""
    return {
        "id": message.id,
        "project": project,
        "thread_id": message.thread_id,
        "from": message.sender,
        "to": list(message.to),
        "cc": list(message.cc),
        "subject": message.subject,
        "body": message.body,
        "created": stamp(message.created),
        "importance": message.importance,
        "ack_required": message.ack_required,
        "states": states,
        "mine": states.get(OVERSEER, ""),
    }


def _by_day(rows: list[Fields]) -> list[tuple[str, list[Fields]]]:
    return [(day, list(some)) for day, some in groupby(rows, key=lambda row: str(row["created"])[:10])]


# --- mail


def everything(visit: Visit) -> str:
    """The newest mail of all projects."""
    if not visit.projects:
        return visit.page("nothing.html", "gitmaild", "mail")
    if len(visit.projects) == 1:
        return mail(visit)
    rows = [row for project in visit.projects for row in _mail(visit, project, limit=_PAGE)]
    rows = sorted(rows, key=lambda row: str(row["created"]), reverse=True)[:_PAGE]
    return visit.page("mail.html", "All mail", "mail", days=_by_day(rows), older="", only="", everywhere=True)


def mail(visit: Visit) -> str:
    """The unified inbox: everybody's mail, or what waits for the Overseer."""
    project, only = visit.check_project(), visit.asked("only")
    older = ""
    if only == "mine":
        desk = visit.mailbox()
        rows = [dict(row) for row in visit.quietly(lambda: desk.inbox(limit=_DESK), [])]
        rows = [row | {"project": project, "states": {}, "mine": "inbox"} for row in rows]
    else:
        rows = _mail(visit, project, before=visit.asked("before"), limit=_PAGE + 1)
        older = rows[_PAGE - 1]["id"] if len(rows) > _PAGE else ""
        rows = rows[:_PAGE]
    title = "For you" if only == "mine" else "Mail"
    return visit.page("mail.html", title, "mail", days=_by_day(rows), older=older, only=only, everywhere=False)


def _mail(visit: Visit, project: str, *, before: str = "", limit: int) -> list[Fields]:
    messages = visit.newest(project, before=before, limit=limit)
    states = visit.states(project, messages)
    return [_fields(message, project, states[message.id]) for message in messages]


def threads(visit: Visit) -> str:
    """The conversations that were last spoken in."""
    project = visit.check_project()
    found: dict[str, Fields] = {}
    for message in visit.newest(project, limit=_THREADS):
        row = found.setdefault(
            message.thread_id, {"thread_id": message.thread_id, "last": message, "count": 0, "people": [], "subject": ""}
        )
        row["count"] += 1
        row["people"] = list(dict.fromkeys([*row["people"], message.sender]))
        row["subject"], row["first"] = message.subject or row["subject"], stamp(message.created)
        row.setdefault("newest", stamp(message.created))
    return visit.page("threads.html", "Threads", "threads", rows=list(found.values()), seen=_THREADS)


def thread(visit: Visit) -> str:
    return conversation(visit, Form(), None)


def answering(visit: Visit, form: Form, refused: Refused) -> str:
    """The thread again, with an answer that was refused."""
    found = visit.mailbox().show(form.one("id"))
    return conversation(visit, form, refused, thread_id=str(found["thread_id"]))


def conversation(visit: Visit, form: Form, refused: Refused | None, *, thread_id: str = "") -> str:
    """A thread as a tree, newest last, with what belongs to it and a place to answer."""
    project, thread_id = visit.check_project(), thread_id or visit.word("thread")
    mailbox, last = visit.mailbox(), visit.number("last", _THREAD, 10_000)
    told = mailbox.thread(thread_id, tree=True, last=last + 1)
    messages = list(told["messages"])
    if not messages:
        raise refuse("no-thread", f"there is no thread {thread_id[:60]} in project {project}", "look among the threads")
    is_cut = len(messages) > last
    with visit.lobby.reader() as reader:
        kept = [found for each in messages if (found := reader.message(project, each["id"]))]
    states = visit.states(project, kept)
    for each in messages:
        each["states"] = states.get(each["id"], {})
        each["mine"] = each["states"].get(OVERSEER, "")
    by_time = sorted(messages, key=lambda each: str(each["created"]))
    answered = form.one("id") or visit.asked("reply") or by_time[-1]["id"]
    target = next((each for each in messages if each["id"] == answered), by_time[-1])
    return visit.page(
        "thread.html",
        str(by_time[0]["subject"] or thread_id),
        "threads",
        thread_id=thread_id,
        messages=messages[-last:],
        is_cut=is_cut,
        target=target,
        short=mailbox.summarize(thread_id, plain=True),
        about=told,
        unread_ids=[each["id"] for each in messages if each["mine"] == "inbox"],
        form=form,
        refused=refused,
    )


def message(visit: Visit) -> str:
    """One message alone: also what is in no thread, such as a note from Postmaster at a desk."""
    agent = visit.asked("at", OVERSEER)
    found = visit.mailbox(agent).show(visit.word("id"))
    return visit.page("message.html", str(found["subject"] or found["id"]), "mail", message=found, desk=agent)


def who_knew(visit: Visit) -> str:
    """Who knew what when."""
    thread_id = visit.word("thread")
    told = visit.mailbox(None).audit(thread_id, at=visit.asked("at"))
    return visit.page("who_knew.html", f"Who knew what: {thread_id}", "threads", thread_id=thread_id, told=told)


# --- people


def agents(visit: Visit) -> str:
    """Who is here, doing what, last seen when."""
    project = visit.check_project()
    mailbox = visit.mailbox(None)
    record = _record(visit)
    seen: dict[str, str] = {}
    acts: dict[str, list[str]] = {}
    for commit in record:
        seen.setdefault(str(commit["author"]), str(commit["at"]))
        acts.setdefault(str(commit["author"]), []).append(str(commit["at"]))
    held = mailbox.leases(limit=10_000)
    rows = []
    for agent in mailbox.agents():
        name = str(agent["agent_name"])
        counts = charts.hourly(acts.get(name, ()), visit.now, hours=24)
        rows.append(
            dict(agent)
            | {
                "seen": max(seen.get(name, ""), str(agent["updated"] or agent["registered"])),
                "leases": sum(1 for lease in held if lease["holder"] == name),
                "unread": visit.quietly(lambda name=name: visit.unread(project, name), 0),
                "spark": charts.spark(counts),
                "acts": sum(counts),
            }
        )
    rows.sort(key=lambda row: (row["state"] != "active", row["seen"] == "", _backwards(row["seen"])))
    lists = {kind: mailbox.call("lists", {"kind": kind}) for kind in ("group", "queue")}
    return visit.page("agents.html", "Agents", "agents", rows=rows, roles=mailbox.call("roles"), lists=lists)


def _backwards(text: str) -> list[int]:
    return [-ord(letter) for letter in text]


def desk(visit: Visit) -> str:
    """One agent's desk: its mail by folder, what it holds, what it owes, what it did."""
    project, name = visit.check_project(), visit.word("agent")
    folder = visit.asked("folder", "inbox")
    whole = visit.mailbox(name)
    stranger = dict.fromkeys(("program", "model", "task_description"), "") | {"agent_name": OVERSEER, "state": "active"}
    profile = visit.quietly(lambda: visit.mailbox(None).whois(name), stranger if name == OVERSEER else None)
    if profile is None:
        raise refuse("no-agent", f"there is no agent {name[:60]!r} in project {project}", "look among the agents")
    entries = visit.quietly(lambda: whole.inbox(limit=_DESK, everything=folder != "inbox", bodies=True), [])
    return visit.page(
        "desk.html",
        name,
        "agents",
        profile=profile,
        folder=folder,
        unread_there=visit.quietly(lambda: visit.unread(project, name), 0),
        entries=[dict(entry) for entry in entries if entry["state"] == folder],
        leases=whole.leases(mine=True),
        owed=visit.quietly(lambda: whole.acks(mine=True), []),
        door=visit.quietly(lambda: whole.call("contacts"), None),
        record=visit.mailbox(None).log(12, author=name),
    )


def contacts(visit: Visit) -> str:
    """What waits at doors. The Overseer answers for itself alone: an agent's word is the agent's."""
    project = visit.check_project()
    own = visit.quietly(lambda: visit.mailbox().call("contacts"), None)
    others = []
    for agent in visit.mailbox(None).agents():
        door = visit.quietly(lambda agent=agent: visit.lobby.for_agent(project, agent["agent_name"]).call("contacts"), None)
        if door and (door["held"] or door["contacts"] or door["policy"] not in ("open", "auto") or door["dnd_until"]):
            others.append(door)
    return visit.page("contacts.html", "Contacts", "contacts", own=own, others=others)


def boards(visit: Visit) -> str:
    mailbox = visit.mailbox(None)
    found = {kind: mailbox.call("lists", {"kind": kind}) for kind in ("board", "queue")}
    newest = {
        each["name"]: mailbox.call("posted", {"kind": kind, "name": each["name"], "limit": 3})
        for kind, some in found.items()
        for each in some
    }
    return visit.page(
        "boards.html", "Boards and queues", "boards", boards=found["board"], queues=found["queue"], newest=newest
    )


def board(visit: Visit) -> str:
    return _list(visit, "board")


def queue(visit: Visit) -> str:
    return _list(visit, "queue")


def _list(visit: Visit, kind: str) -> str:
    mailbox, name = visit.mailbox(None), visit.word("name")
    posts = mailbox.call("posted", {"kind": kind, "name": name, "limit": visit.number("limit", _PAGE, 1000)})
    about = next(each for each in mailbox.call("lists", {"kind": kind}) if each["name"] == name)
    return visit.page("board.html", name, "boards", kind=kind, about=about, posts=posts)


# --- leases


def reservations(visit: Visit) -> str:
    """The land registry: a tree of who holds what; then the queue, and the last hours as a picture."""
    mailbox = visit.mailbox(None)
    every = mailbox.leases(ended=True, limit=300)
    held = [lease for lease in every if lease["state"] == "active"]
    window = {"before": timedelta(hours=6), "after": timedelta(hours=2)}
    return visit.page(
        "leases.html",
        "Leases",
        "reservations",
        held=held,
        tree=charts.registry(sorted(held, key=lambda lease: str(lease.get("pattern") or ""))),
        ended=[lease for lease in every if lease["state"] != "active"][:30],
        waiting=mailbox.waiting(),
        drawing=charts.timeline(every[:40], visit.now, **window),
    )


# --- search and record


def search(visit: Visit) -> str:
    query, offset = visit.asked("q").strip(), visit.number("offset", 0, 100_000)
    sort = "relevance" if visit.asked("sort") == "relevance" else "date"
    refused, found = None, None
    if query:
        try:
            found = visit.mailbox().search(query, limit=20, offset=offset, sort=sort)
        except Refused as error:
            refused = error
    return visit.page("search.html", "Search", "search", found=found, refused=refused, offset=offset, sort=sort)


def log(visit: Visit) -> str:
    """The audit log, each commit with what it changed in the tree."""
    limit, author, thread_id = visit.number("limit", _PAGE, 1000), visit.asked("author"), visit.asked("thread")
    rows = visit.mailbox(None).log(limit + 1, author=author, thread_id=thread_id, changes=True)
    return visit.page(
        "log.html",
        "Audit log",
        "log",
        days=[(day, list(some)) for day, some in groupby(rows[:limit], key=lambda row: str(row["at"])[:10])],
        limit=limit,
        has_more=len(rows) > limit,
        author=author,
        thread=thread_id,
    )


def activity(visit: Visit) -> str:
    """Who did how much of what in the last two days."""
    record = _record(visit)
    recent = [each for each in record if (visit.now - timedelta(hours=_HOURS)).strftime("%Y-%m-%dT%H") <= str(each["at"])]
    counts = charts.hourly([str(each["at"]) for each in recent], visit.now, hours=_HOURS)
    return visit.page(
        "activity.html",
        "Activity",
        "activity",
        bars=charts.bars(counts, visit.now),
        total=sum(counts),
        people=charts.counted(str(each["author"]) for each in recent if each["author"] != POSTMASTER),
        kinds=charts.counted(str(each["trailers"].get("Command", "other")).partition(" ")[0] for each in recent),
        is_cut=len(record) >= _COMMITS,
    )


def _record(visit: Visit) -> list[Fields]:
    return [dict(each) for each in visit.mailbox(None).log(_COMMITS)]


# --- writing


def compose(visit: Visit) -> str:
    asked = Form({name: [visit.asked(name)] for name in ("to", "subject", "thread_id") if visit.asked(name)})
    return composing(visit, asked, None)


def composing(visit: Visit, form: Form, refused: Refused | None) -> str:
    people = visit.people()
    named = form.many("to")
    chosen = [each["name"] for each in people if each["name"] in named] + [name for name in named if name == "everyone"]
    typed = ", ".join(name for name in named if name not in chosen)
    return visit.page(
        "compose.html", "Compose", "compose", people=people, form=form, refused=refused, chosen=chosen, typed=typed
    )


PAGES: dict[str, Page] = {
    "threads": threads,
    "agents": agents,
    "contacts": contacts,
    "boards": boards,
    "reservations": reservations,
    "leases": reservations,
    "search": search,
    "log": log,
    "activity": activity,
    "compose": compose,
}

DEEPER: dict[str, Page] = {
    "thread/{thread}": thread,
    "thread/{thread}/who-knew": who_knew,
    "message/{id}": message,
    "agents/{agent}": desk,
    "boards/{name}": board,
    "queues/{name}": queue,
}
