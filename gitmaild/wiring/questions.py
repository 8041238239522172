"""What only reads: the mailbox, its history, its search index, the user's own repository."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gitmaild.edges.home import Home, ThreadIndex
from gitmaild.wiring.places import check_home, settings

if TYPE_CHECKING:
    from gitmaild.app.answers import Answer, Question
    from gitmaild.app.people import People
    from gitmaild.app.ports import SearchIndex
    from gitmaild.app.queries import Reader
    from gitmaild.app.records import Records
    from gitmaild.edges.code import Code
    from gitmaild.edges.summarizer import Summarizer


def open_reader(home: Home) -> "Reader":
    """The mailbox, for questions. Raises `NoHome` where there is none."""
    from gitmaild.app.queries import Reader  # noqa: PLC0415
    from gitmaild.app.threads import Threads  # noqa: PLC0415
    from gitmaild.edges.repo import Repo  # noqa: PLC0415
    from gitmaild.model.settings import Settings  # noqa: PLC0415

    check_home(home)
    repo = Repo(home.mailbox)
    limits = Settings()
    return Reader(repo, Threads(repo, ThreadIndex(home.state / "threads"), limits), limits)


def open_people(home: Home, environment: Mapping[str, str]) -> "People":
    """Contacts, roles and lists, for questions. Raises `NoHome` where there is none."""
    from gitmaild.app.people import People  # noqa: PLC0415
    from gitmaild.edges.repo import Repo  # noqa: PLC0415

    check_home(home)
    return People(Repo(home.mailbox), settings(home, environment))


def search_index(home: Home, engine: str) -> "SearchIndex":
    """The search index of a home. Each engine is imported only where it is asked."""
    directory = home.indexes / engine
    if engine == "fts5":
        from gitmaild.edges.fts_index import FtsIndex  # noqa: PLC0415

        return FtsIndex(directory)
    from gitmaild.edges.whoosh_index import WhooshIndex  # noqa: PLC0415

    return WhooshIndex(directory)


def remove_index(home: Home, engine: str) -> None:
    from gitmaild.edges import index_directory  # noqa: PLC0415

    index_directory.remove(home.indexes / engine)


def search(home: Home, environment: Mapping[str, str], question: "Question", agent: Callable[[], str]) -> "Answer":
    """Search the mailbox, with the daemon up or down. `agent` is asked only where the query asks for a state of its mail.

    Raises `NoHome`, and `Refused` for a query that cannot be understood.
    """
    from gitmaild.app.answers import look as answer  # noqa: PLC0415
    from gitmaild.app.answers import states_of  # noqa: PLC0415
    from gitmaild.edges.repo import Repo  # noqa: PLC0415
    from gitmaild.rules.mailbox import Mailbox  # noqa: PLC0415

    check_home(home)
    repo = Repo(home.mailbox)

    def states(name: str) -> frozenset[str]:
        return states_of(Mailbox(repo.tree(repo.tip()), question.project), agent())(name)

    return answer(repo, search_index(home, settings(home, environment).search_engine), question, states)


def open_records(home: Home) -> "Records":
    """The mailbox's history, for questions. Raises `NoHome` where there is none."""
    from gitmaild.app.records import Records  # noqa: PLC0415
    from gitmaild.edges.history import History  # noqa: PLC0415

    return Records(open_reader(home), History(home.mailbox), home.tip())


def open_code(worktrees: Sequence[Path]) -> "Code":
    """The user's own repository, for reading: its commits and its issues."""
    from gitmaild.edges.code import Code  # noqa: PLC0415

    return Code(worktrees)


def summarizer(home: Home, environment: Mapping[str, str]) -> "Summarizer | None":
    """The program that puts conversations in short, None where none is set or LLM_ENABLED says no."""
    from gitmaild.edges.summarizer import Summarizer  # noqa: PLC0415

    limits = settings(home, environment)
    if not limits.summarizer or not limits.llm_enabled:
        return None
    return Summarizer(limits.summarizer, limits.summarizer_seconds, home.state / "summaries", environment)
