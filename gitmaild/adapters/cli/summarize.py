"""summarize: a conversation in short."""

import click

from gitmaild.adapters.cli.desk import Desk
from gitmaild.adapters.cli.output import fail
from gitmaild.rules.summary import as_text

desk_of = click.make_pass_decorator(Desk)


@click.command()
@click.argument("thread_id", metavar="THREAD")
@click.option("--plain", is_flag=True, help="Without the configured program.")
@desk_of
def summarize(desk: Desk, *, thread_id: str, plain: bool) -> None:
    """Put THREAD in short: participants, decisions, open questions, open acknowledgements, files and ids, the last word.

    No model is needed. With the setting `summarizer: [claude, -p]` (any program that reads standard input), its answer comes
    first; it is kept until the thread goes on. LLM_ENABLED=false leaves it out.

    \b
    Examples:
      gitmaild summarize br-123
      gitmaild summarize br-123 --plain --json
      GITMAILD_SUMMARIZER='claude -p' gitmaild summarize br-123
    """
    told = desk.ask("summarize", {"thread_id": thread_id, "plain": plain})
    if not told.messages:
        desk.answer(told, "")
        fail(1, f"no messages in thread {thread_id}; gitmaild inbox --all lists yours, ids are compared exactly")
        raise click.exceptions.Exit(1)
    if note := told.pop("note", ""):
        fail(0, note)
    text = told.get("text", "")
    desk.answer(told, f"{text}\n{as_text(told)}" if text else as_text(told))
