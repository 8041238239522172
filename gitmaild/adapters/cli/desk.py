"""Where a command stands: the core's whereabouts, with a terminal's manners."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from gitmaild.adapters.cli.output import fail, say, say_json
from gitmaild.adapters.client.rows import Row
from gitmaild.adapters.client.whereabouts import Whereabouts
from gitmaild.model.errors import Refused


class Desk(Whereabouts):
    """Finds what a command asks for, and gives its answer to a program or to a person.

    `patience` is how many seconds a command waits for a running daemon before it says "queued".
    """

    def __init__(
        self, *, home: str | None, project: str | None, identity: str | None, as_json: bool, patience: float
    ) -> None:
        here = Path.cwd()
        super().__init__(home=home, project=project, identity=identity, patience=patience, here=here, environment=os.environ)
        self.here: Path = here
        self.as_json = as_json
        self.said = {"home": home or "", "project": project or "", "agent": identity or ""}

    @property
    def agent(self) -> str:
        """Who is asking. A command that needs to know and cannot is a usage error."""
        try:
            return super().agent
        except Refused as refused:
            if refused.code == "no-identity":
                raise click.UsageError(f"{refused.reason} {refused.mend}") from None
            raise click.UsageError(f"--as {refused.reason}; {refused.mend}") from None

    def order(
        self, name: str, given: Mapping[str, Any], *, agent: str = "", attach: Iterable[tuple[str, bytes]] = ()
    ) -> Row:
        """The same; a queue ends the process with its status."""
        answer = super().order(name, given, agent=agent, attach=attach)
        if answer.get("status") == "queued":
            trouble = answer.pop("trouble", "")
            self.answer(answer, "")
            because = f" ({trouble})" if trouble else ""
            fail(3, f"queued: the file stands in the outbox and will be answered; do not repeat it{because}")
            raise click.exceptions.Exit(3)
        return answer

    def answer(self, value: Any, text: str) -> None:
        """One answer, for a program or for a person."""
        if self.as_json:
            say_json(value)
        elif text:
            say(text)
