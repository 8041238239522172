"""send, reply, inbox, show, read, ack, wait."""

import sys
from pathlib import Path
from typing import Any

import click

from gitmaild.adapters.cli.desk import Desk
from gitmaild.adapters.cli.output import columns, fail, say, say_json
from gitmaild.adapters.client import answers
from gitmaild.adapters.client.rows import Row
from gitmaild.app.reading import Entry
from gitmaild.model.errors import Refused
from gitmaild.model.message import IMPORTANCE, Message

desk_of = click.make_pass_decorator(Desk)
# `click.Path` takes `-` for standard input where it may.
_TEXT = click.Path(exists=True, dir_okay=False, allow_dash=True)


def _names(values: tuple[str, ...]) -> tuple[str, ...]:
    """`--to A,B --to C` as three names."""
    return tuple(name.strip() for value in values for name in value.split(",") if name.strip())


def body_of(file: str | None) -> str:
    """The text of FILE, or of standard input for `-` and for a pipe."""
    if file in (None, "-") and (sys.stdin is None or (file is None and sys.stdin.isatty())):
        return ""
    data = sys.stdin.buffer.read() if file in (None, "-") else Path(str(file)).read_bytes()
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise click.UsageError(f"{file or 'standard input'}: byte at offset {error.start} is not UTF-8") from error


@click.command()
@click.option("--to", multiple=True, metavar="A,B", help="Who gets it. Names, everyone, or Overseer.")
@click.option("--cc", multiple=True, metavar="C", help="Who gets a copy.")
@click.option("--bcc", multiple=True, metavar="D", help="Who gets a copy that nobody else sees.")
@click.option("--subject", "-s", default="", metavar="S", help="One line.")
@click.option("--thread", default="", metavar="T", help="The conversation, e.g. an issue id. Default: a new one.")
@click.option("--importance", type=click.Choice(IMPORTANCE), default="normal", show_default=True)
@click.option("--ack", is_flag=True, help="Ask every recipient to acknowledge.")
@click.option(
    "--ack-within", default="", metavar="S", help="The same, within so long: 5m, 2h. Reminds once, tells you once."
)
@click.option("--attach", multiple=True, type=click.Path(exists=True, dir_okay=False), metavar="F", help="Attach a file.")
@click.option(
    "--request-id", default="", metavar="R", help="Makes it safe to repeat: the same id gives the first answer again."
)
@click.argument("file", required=False, type=_TEXT)
@desk_of
def send(
    desk: Desk,
    *,
    to: tuple[str, ...],
    cc: tuple[str, ...],
    bcc: tuple[str, ...],
    subject: str,
    thread: str,
    importance: str,
    ack: bool,
    ack_within: str,
    attach: tuple[str, ...],
    request_id: str,
    file: str | None,
) -> None:
    """Send a message whose text is FILE, or standard input.

    \b
    Examples:
      gitmaild send --to RedCat,BlueLake --subject '[br-123] Start: Auth API' --thread br-123 body.md
      echo 'Tests are red.' | gitmaild send --to everyone --importance high --subject 'main is broken'
      gitmaild send --to RedCat --ack-within 5m --subject 'Stop: main is broken' <<< 'Do not push.'
      gitmaild send --to RedCat --ack --attach report.txt --subject 'Please confirm' -
    """
    if not (to or cc or bcc):
        raise click.UsageError("nobody to write to: add --to NAME")
    files = [(Path(path).name, Path(path).read_bytes()) for path in attach]
    if len(dict(files)) < len(files):
        raise click.UsageError("two attachments have one name; rename one of them")
    given: dict[str, Any] = {
        "to": _names(to) or None,
        "cc": _names(cc) or None,
        "bcc": _names(bcc) or None,
        "subject": subject,
    }
    given |= {"thread_id": thread, "importance": importance, "ack_required": ack, "ack_within": ack_within or None}
    given |= {"request_id": request_id, "body": body_of(file)}
    told(desk, desk.order("send", given, attach=files))


@click.command()
@click.argument("message_id", metavar="ID")
@click.option("--all", "to_all", is_flag=True, help="To everybody who got the message, not only to its sender.")
@click.option("--subject", "-s", default="", metavar="S", help="Default: RE: and the subject that you answer.")
@click.option("--importance", type=click.Choice(IMPORTANCE), default="normal", show_default=True)
@click.option("--ack", is_flag=True, help="Ask every recipient to acknowledge.")
@click.argument("file", required=False, type=_TEXT)
@desk_of
def reply(desk: Desk, *, message_id: str, to_all: bool, subject: str, importance: str, ack: bool, file: str | None) -> None:
    """Answer message ID with FILE, or standard input. Recipient, subject and thread are filled in.

    \b
    Examples:
      echo 'I take the tests.' | gitmaild reply msg_20261122_7b3dc3a7
      gitmaild reply --all msg_20261122_7b3dc3a7 answer.md
    """
    message = _found(desk, message_id).message
    given = {"id": message.id, "all": to_all, "subject": subject, "importance": importance, "ack_required": ack}
    told(desk, desk.order("reply", given | {"body": body_of(file)}))


def told(desk: Desk, answer: Row) -> None:
    """The answer to a send."""
    lines = [f"{answer.status}: {answer.id} (thread {answer.thread_id})"]
    lines += [f"  {row.name}: {row.get('state', '')}" for row in answer.recipients]
    lines += [f"  ignored field: {text}" for text in answer.get("ignored", ())]
    desk.answer(answer, "\n".join(lines))


@click.command()
@click.option("--all", "everything", is_flag=True, help="Read and acknowledged messages as well.")
@click.option("--urgent", is_flag=True, help="Urgent messages only.")
@click.option("--min", "least", type=click.Choice(IMPORTANCE), default="low", help="This importance and above.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@click.option("--since", metavar="T", help="2h, 3d, or 2026-11-22T15:00:00Z.")
@click.option(
    "--from", "senders", multiple=True, metavar="A,B", help="Only from these: agents, roles, groups as they are now."
)
@click.option("--tag", default="", metavar="G", help="Only subjects that begin with this tag: HANDOFF for [HANDOFF].")
@click.option("--thread", default="", metavar="T", help="One conversation; read and acknowledged messages included.")
@click.option("--bodies", is_flag=True, help="With --json: the texts too.")
@desk_of
def inbox(
    desk: Desk,
    *,
    everything: bool,
    urgent: bool,
    least: str,
    limit: int,
    since: str | None,
    senders: tuple[str, ...],
    thread: str,
    tag: str,
    bodies: bool,
) -> None:
    """List your mail, newest first. Listing marks nothing as read, and works with the daemon down.

    \b
    Examples:
      gitmaild inbox
      gitmaild inbox --urgent --json
      gitmaild inbox --tag HANDOFF --min high
      gitmaild inbox --from Deacon,@dogs
      gitmaild inbox --thread continuity --limit 1 --bodies --json
    """
    entries = answers.listed(
        desk,
        limit=limit,
        urgent=urgent,
        least=least,
        since=since or "",
        thread_id=thread,
        tag=tag,
        everything=everything,
        senders=",".join(senders),
    )
    _listed(desk, entries, bodies=bodies)


def _listed(desk: Desk, entries: list[Entry], *, bodies: bool = False) -> None:
    if desk.as_json:
        say_json([entry.fields(body=bodies) for entry in entries])
        return
    if not entries:
        say("no mail")
    columns([_row(entry) for entry in entries])


def _row(entry: Entry) -> tuple[str, ...]:
    message = entry.message
    flags = "ack!" if message.ack_required and entry.state != "acked" else ""
    state = "" if entry.state == "inbox" else entry.state
    mark = " ".join(word for word in (message.importance if message.importance != "normal" else "", flags, state) if word)
    return (message.id, f"{message.created:%m-%d %H:%M}", message.sender, mark, message.subject or "(no subject)")


@click.command()
@click.argument("message_id", metavar="ID")
@desk_of
def show(desk: Desk, *, message_id: str) -> None:
    """Print message ID: yours, or any of the project's. Showing marks nothing as read.

    \b
    Example:
      gitmaild show msg_20261122_7b3dc3a7
    """
    entry = _found(desk, message_id)
    if desk.as_json:
        say_json(answers.shown(entry))
    else:
        say(page(entry.message).rstrip("\n"))


def page(message: Message) -> str:
    from gitmaild.rules import pages  # noqa: PLC0415 - needs what parses drops, which no list of mail does

    return pages.section(message)


def _found(desk: Desk, message_id: str) -> Entry:
    """A message from the desk, else from the mailbox. Ends the process with status 1 where there is none."""
    try:
        return answers.found(desk, message_id)
    except Refused as refused:
        if refused.code != "no-message":
            raise
        fail(1, f"{refused.reason}; {refused.mend}")
        raise click.exceptions.Exit(1) from None


@click.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@desk_of
def read(desk: Desk, *, ids: tuple[str, ...]) -> None:
    """Mark messages as read: they move from inbox/ to read/.

    \b
    Example:
      gitmaild read msg_20261122_7b3dc3a7
    """
    _file(desk, "read", ids)


@click.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@desk_of
def ack(desk: Desk, *, ids: tuple[str, ...]) -> None:
    """Acknowledge messages: they move to acked/, and their senders see it. Doing it twice changes nothing.

    \b
    Example:
      gitmaild ack msg_20261122_7b3dc3a7
    """
    _file(desk, "ack", ids)


def _file(desk: Desk, kind: str, ids: tuple[str, ...]) -> None:
    done = f"{'acknowledged' if kind == 'ack' else 'read'}: {', '.join(ids)}"
    desk.answer(desk.order(kind, {"ids": ids}), done)


@click.command()
@click.option(
    "--timeout", type=click.FloatRange(0), default=60.0, show_default=True, metavar="S", help="Seconds; 0 looks once."
)
@desk_of
def wait(desk: Desk, *, timeout: float) -> None:
    """Wait until there is unread mail, list it, and end; status 1 where none came in time.

    \b
    Example:
      gitmaild wait --timeout 300 && gitmaild inbox
    """
    entries = answers.awaited(desk, timeout=timeout)
    if not entries:
        if desk.as_json:
            say_json([])
        raise click.exceptions.Exit(1)
    _listed(desk, entries)
