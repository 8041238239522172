"""When a file in an outbox may be taken: not before its writer is done with it."""

from gitmaild.model.drop import How, Waiting
from gitmaild.model.settings import Settings

READY = 0.0


def ready_in(waiting: Waiting, *, hinted: How | None, closed: bool, quiet: float, settings: Settings) -> float:
    """Seconds until the file may be taken, `READY` for now.

    A rename brings a whole file. A writer that closed the file may open it again, so a short quiet must follow and the
    front matter be closed; else size and mtime must have stood still for longer. `quiet` is for how long they have. A file
    that stays empty or unclosed is taken in the end, to be refused where its sender can read why.
    """
    if hinted is How.RENAMED or not waiting.regular:
        return READY
    if quiet >= settings.open_seconds:
        return READY
    if waiting.size == 0 or not closed:
        return min(settings.open_seconds - quiet, settings.still_seconds)
    need = settings.quiet_seconds if hinted is How.CLOSED else settings.still_seconds
    return max(need - quiet, READY)
