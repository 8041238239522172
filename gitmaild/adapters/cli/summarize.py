"""summarize: a conversation in short."""

import click

from gitmaild import wiring
from gitmaild.adapters.cli.desk import Desk
from gitmaild.adapters.cli.output import fail
from gitmaild.model.errors import MailError
from gitmaild.rules.pages import section
from gitmaild.rules.summary import as_text, summary

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
    reader = wiring.open_reader(desk.home)
    messages = reader.thread(desk.project.slug, thread_id)
    if not messages:
        desk.answer({"thread_id": thread_id, "messages": 0}, "")
        fail(1, f"no messages in thread {thread_id}; gitmaild inbox --all lists yours, ids are compared exactly")
        raise click.exceptions.Exit(1)
    told = summary(thread_id, messages, reader.thread_acks(desk.project.slug, messages))
    program = None if plain else wiring.summarizer(desk.home, desk.environment)
    text = ""
    if program:
        tip = f"{desk.project.slug} {thread_id} {len(messages)} {messages[-1].id}"
        try:
            text = program.ask(tip, "\n".join(map(section, messages)))
            told |= {"by": program.command[0], "text": text}
        except MailError as error:
            fail(0, f"{error}; this is what can be told without it")
    desk.answer(told, f"{text}\n{as_text(told)}" if text else as_text(told))
