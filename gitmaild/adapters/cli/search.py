"""search."""

import re
import sys

import click

from gitmaild.adapters.cli.desk import Desk
from gitmaild.adapters.cli.output import clean, fail, say, say_json
from gitmaild.adapters.client import answers
from gitmaild.app.answers import Found
from gitmaild.model.errors import Refused

desk_of = click.make_pass_decorator(Desk)

_FIELD = re.compile(r"(-?\w+:)?(.*)", re.DOTALL)
_NOT = re.compile(r"-[^-\s].")
_COLUMN = re.compile(r"column (\d+): ")


class _Words(click.Command):
    """Takes `-word` for a part of the query, also where it begins with the letter of `-h`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, [f" {arg}" if _NOT.match(arg) else arg for arg in args])


@click.command(cls=_Words)
@click.argument("words", nargs=-1, required=True, metavar="QUERY...")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@click.option("--offset", type=click.IntRange(0, 10**9), default=0, help="Pass over so many: the next page.")
@click.option("--sort", type=click.Choice(("date", "relevance")), default="date", show_default=True)
@desk_of
def search(desk: Desk, *, words: tuple[str, ...], limit: int, offset: int, sort: str) -> None:
    """Find messages of the project, newest first; status 1 where there is none. Works with the daemon down.

    Put the query into single quotes, so that the shell leaves it alone. Words next to each other must all be there; case and
    accents make no difference.

    \b
    Language:
      token cache              both words, in subject or text
      "token expired"          one after the other
      auth*                    words that begin so (three characters at least)
      token (cache OR queue)   either; AND, OR, NOT, parentheses
      token -cache             the first and not the second
      subject:auth body:token  in that part only
      from:RedCat to:BlueLake  who wrote it, who got it
      thread:br-123 id:msg_..  a conversation, a message
      importance:high tag:HANDOFF has:ack has:attachment
      path:src/api             that mention a file, or one below a directory
      is:unread is:read is:acked   as it stands at your own desk (say --as NAME)
      on:2026-11-22 before:today after:3d    UTC

    Names in code are found whole and by their parts: src/api/routes.py by routes.py, UserRepo.save by repo.

    \b
    Examples:
      gitmaild search 'subject:auth body:"token expired" from:GreenCastle'
      gitmaild search 'path:src/api -tag:HANDOFF after:2d' --limit 50 --json
      gitmaild search 'cache OR queue' --sort relevance --offset 20
      gitmaild --as RedCat search is:unread importance:high
    """
    text = words[0].strip() if len(words) == 1 else " ".join(_quoted(word.strip()) for word in words)
    try:
        answer = answers.searched(desk, query=text, limit=limit, offset=offset, sort=sort)
    except Refused as refused:
        if column := _COLUMN.match(refused.refusal.reason):
            _aside(f"  {text}\n  {' ' * (int(column[1]) - 1)}^")
        raise
    if desk.as_json:
        say_json([found.fields() for found in answer.found])
    else:
        for found in answer.found:
            _show(found)
    if answer.note:
        _aside(f"gitmaild: {answer.note}")
    if answer.more:
        _aside(f"gitmaild: there are more: --offset {offset + limit}")
    if not answer.found:
        raise click.exceptions.Exit(fail(1, "nothing found"))


def _quoted(word: str) -> str:
    """A word as it stood before the shell took its quotes: `body:token expired` had some around its last two words."""
    if not any(map(str.isspace, word)) or '"' in word or "(" in word:
        return word
    field, rest = _FIELD.fullmatch(word).groups("")  # type: ignore[union-attr]
    return f'{field}"{rest}"'


def _show(found: Found) -> None:
    message = found.message
    subject = " ".join(message.subject.splitlines()) or "(no subject)"
    say(f"{message.id}  {message.created:%Y-%m-%d %H:%M}  {message.sender}  {subject}")
    if snippet := " ".join(found.snippet.marked().split()):
        say(f"    {snippet}")


def _aside(text: str) -> None:
    sys.stderr.write(f"{clean(text)}\n")
