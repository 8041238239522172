"""completion."""

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(*, shell: str) -> None:
    """Print the completion script of a shell.

    \b
    Examples:
      gitmaild completion bash > ~/.local/share/bash-completion/completions/gitmaild
      gitmaild completion zsh > "${fpath[1]}/_gitmaild"
      gitmaild completion fish > ~/.config/fish/completions/gitmaild.fish
    """
    from gitmaild.adapters.cli import cli  # noqa: PLC0415 - the group that imports this module

    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(cli, {}, "gitmaild", "_GITMAILD_COMPLETE").source())
