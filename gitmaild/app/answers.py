"""From a query to an answer: the index's hits and the tail's in one order, read back from git, shown with snippets."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from heapq import merge
from itertools import islice
from typing import Literal

from gitmaild.app.indexing import Tail, canonical, changes, indexed, leaves, split_checkpoint
from gitmaild.app.ports import Repo, SearchIndex
from gitmaild.app.threads import leads_to, parsed
from gitmaild.model.ids import stamp
from gitmaild.model.layout import parse_file_name
from gitmaild.model.message import Message
from gitmaild.model.search import KEYS, Hit, IndexDamaged, IndexUnavailable, Query, Term
from gitmaild.rules import asked
from gitmaild.rules.mailbox import Mailbox
from gitmaild.rules.match import matches
from gitmaild.rules.query import parse, resolve
from gitmaild.rules.snippet import Needles, Snippet

# Without an index, this many of the newest messages are looked at, and the answer says that there may be more.
_UNAIDED = 2_000

States = Callable[[str], frozenset[str]]


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody asks of the messages of one project."""

    project: str
    text: str
    now: datetime
    limit: int = 20
    offset: int = 0
    order: Literal["newest", "relevance"] = "newest"


@dataclass(frozen=True, slots=True)
class Found:
    """A message that was found, and why."""

    message: Message
    score: float
    snippet: Snippet

    def fields(self) -> dict[str, object]:
        """The shape that every door shows."""
        return {
            "id": self.message.id,
            "subject": self.message.subject,
            "from": self.message.sender,
            "created": stamp(self.message.created),
            "thread_id": self.message.thread_id,
            "score": round(self.score, 3),
            "snippet": self.snippet.marked(),
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """One page of what was found. `note` says in words what may be missing, '' where nothing is."""

    found: tuple[Found, ...]
    more: bool = False
    note: str = ""


def look(repo: Repo, index: SearchIndex, question: Question, states: States) -> Answer:
    """Answer in a process of its own, beside the daemon or without it. Writes nothing.

    What the index lacks is read from the commits after its checkpoint; without a usable index, from the newest messages.
    Raises `Refused` for a query that cannot be understood.
    """
    query = understood(question, states)
    tip = repo.tip()
    try:
        index.open(writing=False)
        tail, note = _since(repo, index, tip)
        return page(repo, question, query, hits(index, tail, query, question), note)
    except (IndexDamaged, IndexUnavailable):
        tail, note = _newest(repo, tip, question.project)
        return page(repo, question, query, _matching(tail, query), note)
    finally:
        index.close()


def states_of(mailbox: Mailbox, agent: str) -> States:
    """Which messages are in which state for an agent, read from the tree when it is asked for. Acknowledged is read, too."""
    folders = {"unread": ("inbox",), "read": ("read", "acked"), "acked": ("acked",)}

    def state(name: str) -> frozenset[str]:
        files = (file for folder in folders[name] for file, _ in mailbox.files(agent, folder))
        return frozenset(key for file in files for key in _keys_of(mailbox.project, file))

    return state


def understood(question: Question, states: States) -> Query:
    """What is asked of the index: the query, for the messages of its project."""
    query = resolve(parse(question.text, question.now), states)
    return asked.all_of([Term(KEYS, f"project:{question.project}"), query])


def hits(index: SearchIndex, tail: Tail, query: Query, question: Question) -> Iterator[Hit]:
    """What was found, in order; where both know a message, the tail's word counts."""
    fresh = _matching(tail, query)
    if question.order == "newest":
        kept = (hit for hit in index.newest(query) if hit.key not in tail)
        yield from merge(fresh, kept, key=lambda hit: (hit.created, hit.key), reverse=True)
        return
    # What has only just been written comes first: no engine has weighed it yet.
    best = index.best(query, question.offset + question.limit + 1 + len(tail))
    top = best[0].score if best else 0.0
    yield from (Hit(hit.created, hit.key, hit.oid, top) for hit in fresh)
    yield from (hit for hit in best if hit.key not in tail)


def page(repo: Repo, question: Question, query: Query, found: Iterator[Hit], note: str) -> Answer:
    """One page of the hits, each message as git has it. One that git cannot read back is left out."""
    chosen = list(islice(found, question.offset, question.offset + question.limit + 1))
    needles = Needles(query)
    shown = []
    for hit in chosen[: question.limit]:
        if message := parsed(repo.blob(hit.oid)):
            shown.append(Found(message, hit.score, needles.snippet(message.body)))
    return Answer(tuple(shown), len(chosen) > question.limit, note)


def _matching(tail: Tail, query: Query) -> Iterator[Hit]:
    found = [Hit(d.created, d.key, d.oid) for d in tail.values() if d and matches(query, d)]
    return iter(sorted(found, key=lambda hit: (hit.created, hit.key), reverse=True))


def _keys_of(project: str, file: str) -> Iterator[str]:
    """The keys that the message of a copy may have: its id has the day of the claim, its file name that of acceptance."""
    if parts := parse_file_name(file):
        day = datetime.fromisoformat(parts.at).astimezone(UTC)
        for before in (timedelta(), timedelta(days=1)):
            yield f"{project}/msg_{day - before:%Y%m%d}_{parts.hex}"


def _since(repo: Repo, index: SearchIndex, tip: str) -> tuple[Tail, str]:
    """What the commits after the index's checkpoint brought, and what may be missing."""
    base, leaf = split_checkpoint(index.checkpoint())
    if not base or not leads_to(repo, base, tip):
        raise IndexDamaged("the search index is not of this mailbox")
    tail: Tail = {}
    for commit in repo.commits(base, tip) if base != tip else ():
        tail |= changes(commit, repo.blob)
    return tail, "" if leaf is None else f"the search index is being made: it has {index.size():,} messages so far"


def _newest(repo: Repo, tip: str, project: str) -> tuple[Tail, str]:
    """The newest messages of a project, read without an index."""
    tree = repo.tree(tip)
    places = [leaf for name, leaf in leaves(tree) if name == project]
    tail: Tail = {}
    for leaf in reversed(places):
        for oid in list(canonical(tree, leaf)):
            if found := indexed(project, oid, repo.blob):
                tail[found.key] = found
        if len(tail) >= _UNAIDED:
            return (
                tail,
                f"there is no search index: only the newest {len(tail):,} messages were looked at; gitmaild serve makes one",
            )
    return tail, ""
