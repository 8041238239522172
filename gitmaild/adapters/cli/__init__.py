"""The command line. Each command's module is imported when it is called: `inbox` must start in a tenth of a second."""

import importlib
import os
import sys
from typing import Any

import click

from gitmaild import __version__
from gitmaild.adapters.cli.output import fail
from gitmaild.model.errors import MailError, Refused, Verdict

# Name: (module, one line for the overview, section).
_COMMANDS = {
    "init": ("office", "Set up this worktree for mail. Asks nothing, may be repeated.", "Office"),
    "serve": ("office", "Run the daemon in the foreground.", "Office"),
    "status": ("office", "Is it running, what waits, what is wrong.", "Office"),
    "log": ("office", "The audit trail: git log of the mailbox.", "Office"),
    "events": ("audit", "What happened, as JSON lines; follow it with a cursor.", "Office"),
    "audit": ("audit", "Who had received, read and acknowledged what by then.", "Office"),
    "verify": ("audit", "Was the mailbox rewritten, or edited by hand?", "Office"),
    "rebuild": ("office", "Make desks and indexes anew from the mailbox.", "Office"),
    "service": ("service", "Let systemd or launchd run the daemon.", "Office"),
    "token": ("token", "Tokens for the HTTP door.", "Office"),
    "web": ("web", "A link to the page for people, for one browser.", "Office"),
    "guard": ("guard", "Let git refuse commits to what others have reserved.", "Office"),
    "register": ("people", "Join, or say anew what you work on.", "People"),
    "agents": ("people", "Who is here.", "People"),
    "whois": ("people", "What is known of one agent.", "People"),
    "retire": ("people", "Close an agent's desk; mail to it bounces.", "People"),
    "role": ("directory", "Who holds which role.", "People"),
    "group": ("directory", "Groups: one address, a copy for each member.", "People"),
    "contact": ("contacts", "Whose mail you take.", "People"),
    "dnd": ("contacts", "Do not disturb: all but urgent mail waits.", "People"),
    "send": ("mail", "Send a message.", "Mail"),
    "reply": ("mail", "Answer a message.", "Mail"),
    "inbox": ("mail", "List mail, newest first.", "Mail"),
    "show": ("mail", "Print one message.", "Mail"),
    "read": ("mail", "Mark messages as read.", "Mail"),
    "ack": ("mail", "Acknowledge messages.", "Mail"),
    "summarize": ("summarize", "A conversation in short.", "Mail"),
    "acks": ("acks", "Which acknowledgements are missing.", "Mail"),
    "search": ("search", "Find messages.", "Mail"),
    "thread": ("threads", "Print a conversation.", "Mail"),
    "wait": ("mail", "Wait until there is mail.", "Mail"),
    "queue": ("directory", "Queues: one address, one member takes it.", "Mail"),
    "board": ("directory", "Boards: what all may read.", "Mail"),
    "post": ("directory", "Post on a board.", "Mail"),
    "handoff": ("handoff", "Leave word for your next self, or read it.", "Mail"),
    "reserve": ("leases", "Reserve paths.", "Leases"),
    "renew": ("leases", "Keep leases for longer.", "Leases"),
    "release": ("leases", "Let go of leases.", "Leases"),
    "leases": ("leases", "Who holds what, and who waits.", "Leases"),
    "slot": ("leases", "Build slots: leases on a name.", "Leases"),
    "completion": ("completion", "Print the completion script of a shell.", "Other"),
}

_EPILOG = """\b
Examples:
  gitmaild init && gitmaild serve
  gitmaild register GreenCastle --program 'Claude Code' --model 'Opus 4.5'
  gitmaild --as GreenCastle send --to RedCat --subject '[br-123] Start' <<< 'I take src/api.'
  gitmaild --as RedCat inbox

\b
Exit status: 0 done, 1 the answer is no, 3 queued (do not repeat), 64 usage, 65 refused,
69 a door could not be opened, 70 a bug, 75 nothing was left behind, try again.
"""


def _anywhere() -> list[click.Parameter]:
    """The options that may stand behind a command's name as well as before it."""

    def json_here(ctx: click.Context, param: click.Parameter, value: bool) -> None:
        ctx.obj.as_json = ctx.obj.as_json or value

    def identity_here(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
        ctx.obj.identity = value or ctx.obj.identity

    return [
        click.Option(["--as", "identity"], metavar="NAME", help="Who you are.", callback=identity_here, expose_value=False),
        click.Option(["--json", "as_json"], is_flag=True, help="Answer in JSON.", callback=json_here, expose_value=False),
    ]


def _with_anywhere(command: click.Command) -> click.Command:
    """`command`, or each one below it, with those options."""
    if isinstance(command, click.Group):
        for below in command.commands.values():
            _with_anywhere(below)
    elif not any(option.name == "as_json" for option in command.params):
        command.params += _anywhere()
    return command


class Commands(click.Group):
    """The group that knows its commands by name, and imports one when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"gitmaild.adapters.cli.{_COMMANDS[cmd_name][0]}")
        return _with_anywhere(getattr(module, cmd_name))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. A refusal is an answer too: in JSON where that was asked for."""
        try:
            return self._answered(ctx)
        except BrokenPipeError:
            raise click.exceptions.Exit(_nobody_reads()) from None

    def _answered(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Refused as refused:
            no = refused.refusal
            ctx.obj.answer({"status": "refused", "code": no.code, "reason": no.reason, "mend": no.mend}, "")
            raise click.exceptions.Exit(fail(65, f"refused: {no.reason}; {no.mend} ({no.code})")) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for section in dict.fromkeys(row[2] for row in _COMMANDS.values()):
            with formatter.section(section):
                formatter.write_dl([(name, row[1]) for name, row in _COMMANDS.items() if row[2] == section])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from gitmaild.rules.fields import did_you_mean  # noqa: PLC0415

            raise click.UsageError(f"no command {args[0]!r}{did_you_mean(args[0], _COMMANDS)}", ctx) from error


@click.group(
    cls=Commands, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="gitmaild")
@click.option("--home", metavar="DIR", help="The home (else $GITMAILD_HOME, $STORAGE_ROOT, ~/.gitmaild).")
@click.option("--project", metavar="SLUG|PATH", help="The project (else $GITMAILD_PROJECT, else the worktree around here).")
@click.option(
    "--as", "identity", metavar="NAME", help="Who you are (else $GITMAILD_AGENT, $AGENT_NAME, git config gitmaild.agent)."
)
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@click.pass_context
def cli(ctx: click.Context, home: str | None, project: str | None, identity: str | None, as_json: bool) -> None:
    """Mail for coding agents: plain files in, plain files out, git as the record."""
    from gitmaild.adapters.cli.desk import Desk  # noqa: PLC0415

    ctx.obj = Desk(home=home, project=project, identity=identity, as_json=as_json, **ctx.obj)
    ctx.call_on_close(ctx.obj.close)


def main(*, patience: float = 10.0) -> None:
    """Run a command; every way out has an exit status and says what to do.

    `patience` is how many seconds a command waits for a running daemon.
    """
    if hasattr(sys.stdout, "reconfigure"):
        # A path may hold bytes that are no text; that is no reason to lose an answer.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = _run(patience)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        status = _nobody_reads()
    sys.exit(status)


def _run(patience: float) -> int:
    try:
        # Without click's own error handling, which knows one exit status for everything.
        return int(cli.main(prog_name="gitmaild", standalone_mode=False, obj={"patience": patience}) or 0)
    except click.exceptions.Abort:
        return 130
    except click.ClickException as error:
        error.show()
        return 64
    except MailError as error:
        return fail(75 if error.verdict is Verdict.TEMPORARY else 69, f"{error} ({error.code})")
    except OSError as error:
        return fail(75, f"{error.strerror or error}: {error.filename or ''}; nothing was left behind, try again")
    except Exception:  # noqa: BLE001 - status 1 would say "the answer is no"
        import traceback  # noqa: PLC0415

        traceback.print_exc()
        return fail(70, "this is a bug in gitmaild; please report what is above")


def _nobody_reads() -> int:
    """`gitmaild inbox | head -1`: the reader has what it wanted, and Python must not write to it again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
