"""gitmaild: a post office made of plain files, with git as the database."""

__version__ = "0.1.0"
__all__ = ["MailError", "Mailbox", "Refused", "__version__"]

TYPE_CHECKING = False  # the guard begins with this file, and importing typing costs a commit 5 ms
if TYPE_CHECKING:
    from gitmaild.adapters.client.mailbox import Mailbox
    from gitmaild.model.errors import MailError, Refused


def __getattr__(name: str) -> object:
    """The client for programs, imported when it is asked for."""
    import importlib  # noqa: PLC0415

    places = {"Mailbox": "adapters.client.mailbox", "MailError": "model.errors", "Refused": "model.errors"}
    if name not in places:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{places[name]}"), name)
