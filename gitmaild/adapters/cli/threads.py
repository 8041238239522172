"""thread: a conversation, and what belongs to it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from gitmaild import wiring
from gitmaild.adapters.cli.desk import Desk
from gitmaild.adapters.cli.mail import page
from gitmaild.adapters.cli.output import columns, fail, say, say_json
from gitmaild.app import reading
from gitmaild.app.reading import Entry
from gitmaild.model.message import Message
from gitmaild.rules.mention import mentions
from gitmaild.rules.replies import tree

_COMMITS = 20
_ONE_LINE = 0

desk_of = click.make_pass_decorator(Desk)


@click.command()
@click.argument("thread_id", metavar="ID")
@click.option(
    "--last",
    type=click.IntRange(0),
    is_flag=False,
    flag_value=_ONE_LINE,
    metavar="[N]",
    help="Only the newest N messages; without N, the newest one in one line.",
)
@click.option("--since", metavar="T", help="2h, 3d, or 2026-11-22T15:00:00Z.")
@click.option("--tree", "as_tree", is_flag=True, help="Who answered what, and all that belongs to the thread, in JSON too.")
@desk_of
def thread(desk: Desk, *, thread_id: str, last: int | None, since: str | None, as_tree: bool) -> None:
    """Print a whole conversation, newest last.

    Behind it stand the leases whose reason is ID, the issue ID of .beads/issues.jsonl, and commits that mention ID. With
    --json, the answer is the list of messages; with --json --tree, all of it, each message with its depth.

    \b
    Examples:
      gitmaild thread br-123
      gitmaild thread br-123 --tree
      gitmaild thread br-123 --last 3 --json
      gitmaild thread progress --last
    """
    found = wiring.open_reader(desk.home).thread(desk.project.slug, thread_id)
    messages = found
    if since:
        floor = reading.parse_since(since, datetime.now(UTC))
        messages = [message for message in messages if message.created >= floor]
    messages = messages[-(last or 1) :] if last is not None else messages
    # The newest few are asked for to save reading; the rest belongs to the whole.
    about = _about(desk, thread_id) if as_tree or not (desk.as_json or since or last is not None) else {}
    if desk.as_json:
        say_json(_shown(thread_id, messages, about) if as_tree else [_entry(message) for message in messages])
    elif last == _ONE_LINE:
        columns([_line(message) for message in messages])
    else:
        _print(messages, about, as_tree=as_tree)
    if not messages and not any(about.values()):
        fail(1, f"no messages in thread {thread_id}; gitmaild inbox --all lists yours, ids are compared exactly")
        raise click.exceptions.Exit(1)


def _about(desk: Desk, thread_id: str) -> dict[str, Any]:
    """What belongs to a thread besides its messages."""
    code = wiring.open_code(worktrees(desk))
    commits = [commit for commit in code.mentions(thread_id) if mentions(commit.message, thread_id)][:_COMMITS]
    leases = wiring.open_reader(desk.home).thread_leases(desk.project.slug, wiring.wall_clock(), thread_id)
    return {
        "issue": code.issue(thread_id),
        "leases": leases,
        "commits": [{"commit": c.oid, "author": c.author, "at": c.at, "subject": c.subject} for c in commits],
    }


def worktrees(desk: Desk) -> list[Path]:
    """The project's, where this is one of them this one first."""
    here = [] if desk.worktree_root.at_home else [desk.worktree_root.path.parent]
    return list(dict.fromkeys([*here, *map(Path, desk.project.worktrees)]))


def _shown(thread_id: str, messages: list[Message], about: dict[str, Any]) -> dict[str, Any]:
    return {
        "thread_id": thread_id,
        "messages": [_entry(message) | {"depth": depth} for depth, message in tree(messages)],
    } | about


def _entry(message: Message) -> dict[str, object]:
    entry = Entry(message, "", "").fields(body=True)
    return {key: value for key, value in entry.items() if key not in ("state", "path")} | {
        "in_reply_to": message.in_reply_to
    }


def _line(message: Message) -> tuple[str, ...]:
    return (message.id, f"{message.created:%m-%d %H:%M}", message.sender, message.subject or "(no subject)")


def _print(messages: list[Message], about: dict[str, Any], *, as_tree: bool) -> None:
    if issue := about.get("issue"):
        say(f"issue {issue['id']}: {issue['title']} ({issue['status'] or 'no status'})\n")
    for depth, message in tree(messages) if as_tree else ():
        say("  " * min(depth, 20) + "  ".join(_line(message)))
    for message in messages if not as_tree else ():
        say(page(message))
    for lease in about.get("leases", ()):
        until = f"until {lease['expires'][:19]}" if lease["state"] == "active" else f"{lease['state']} {lease['ended'][:19]}"
        say(f"lease {lease['id']}  {lease['holder']}  {lease.get('pattern') or lease.get('slot')}  {until}")
    for commit in about.get("commits", ()):
        say(f"commit {commit['commit'][:12]}  {commit['at'][:10]}  {commit['author']}: {commit['subject']}")
