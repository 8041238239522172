"""thread: a conversation, and what belongs to it."""

from typing import Any

import click

from gitmaild.adapters.cli.desk import Desk
from gitmaild.adapters.cli.mail import page
from gitmaild.adapters.cli.output import columns, fail, say, say_json
from gitmaild.adapters.client import answers
from gitmaild.model.message import Message
from gitmaild.rules.replies import tree

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
    messages = answers.conversation(desk, thread_id, last=last, since=since or "")
    # The newest few are asked for to save reading; the rest belongs to the whole.
    about = answers.about(desk, thread_id) if as_tree or not (desk.as_json or since or last is not None) else {}
    if desk.as_json:
        listed = [answers.entry_of(message) for message in messages]
        say_json(answers.branched(thread_id, messages, about) if as_tree else listed)
    elif last == _ONE_LINE:
        columns([_line(message) for message in messages])
    else:
        _print(messages, about, as_tree=as_tree)
    if not messages and not any(about.values()):
        fail(1, f"no messages in thread {thread_id}; gitmaild inbox --all lists yours, ids are compared exactly")
        raise click.exceptions.Exit(1)


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
