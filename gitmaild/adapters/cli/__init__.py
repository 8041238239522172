"""The command line. Each command's module is imported when it is called: `inbox` must start in a tenth of a second."""

import importlib
import sys
from typing import Any

import click

from gitmaild import __version__
from gitmaild.adapters.cli.output import fail
from gitmaild.model.errors import MailError, Refused

# Name: (module, one line for the overview, section).
_COMMANDS = {
    "init": ("office", "Set up this worktree for mail. Asks nothing, may be repeated.", "Office"),
    "serve": ("office", "Run the daemon in the foreground.", "Office"),
    "status": ("office", "Is it running, what waits, what is wrong.", "Office"),
    "log": ("office", "The audit trail: git log of the mailbox.", "Office"),
    "rebuild": ("office", "Make desks and indexes anew from the mailbox.", "Office"),
    "service": ("service", "Let systemd or launchd run the daemon.", "Office"),
    "register": ("people", "Join, or say anew what you work on.", "People"),
    "agents": ("people", "Who is here.", "People"),
    "whois": ("people", "What is known of one agent.", "People"),
    "retire": ("people", "Close an agent's desk; mail to it bounces.", "People"),
    "send": ("mail", "Send a message.", "Mail"),
    "reply": ("mail", "Answer a message.", "Mail"),
    "inbox": ("mail", "List mail, newest first.", "Mail"),
    "show": ("mail", "Print one message.", "Mail"),
    "read": ("mail", "Mark messages as read.", "Mail"),
    "ack": ("mail", "Acknowledge messages.", "Mail"),
    "thread": ("mail", "Print a conversation.", "Mail"),
    "wait": ("mail", "Wait until there is mail.", "Mail"),
    "completion": ("completion", "Print the completion script of a shell.", "Other"),
}

_EPILOG = """\b
Examples:
  gitmaild init && gitmaild serve
  gitmaild register GreenCastle --program 'Claude Code' --model 'Opus 4.5'
  gitmaild --as GreenCastle send --to RedCat --subject '[br-123] Start' <<< 'I take src/api.'
  gitmaild --as RedCat inbox

\b
Exit status: 0 done, 1 the answer is no, 3 queued (do not repeat), 64 usage, 65 refused, 69 a door could not be opened,
70 a bug, 75 nothing was left behind, try again.
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


class Commands(click.Group):
    """The group that knows its commands by name, and imports one when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"gitmaild.adapters.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        if not any(option.name == "as_json" for option in command.params):
            command.params += _anywhere()
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for section in dict.fromkeys(row[2] for row in _COMMANDS.values()):
            with formatter.section(section):
                formatter.write_dl([(name, row[1]) for name, row in _COMMANDS.items() if row[2] == section])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from gitmaild.rules.parse import did_you_mean  # noqa: PLC0415

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

    ctx.obj = Desk(home=home, project=project, identity=identity, as_json=as_json)


def main() -> None:
    """Run a command; every way out has an exit status and says what to do."""
    try:
        # Without click's own error handling, which knows one exit status for everything.
        sys.exit(cli.main(standalone_mode=False) or 0)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.UsageError as error:
        error.show()
        sys.exit(64)
    except click.ClickException as error:
        error.show()
        sys.exit(64)
    except Refused as refused:
        sys.exit(fail(65, f"refused: {refused.refusal.reason}; {refused.refusal.mend} ({refused.refusal.code})"))
    except MailError as error:
        sys.exit(fail(75 if error.verdict.value == "temporary" else 69, f"{error} ({error.code})"))
    except BrokenPipeError:
        sys.exit(0)
    except OSError as error:
        sys.exit(fail(75, f"{error.strerror or error}: {error.filename or ''}; nothing was left behind, try again"))
