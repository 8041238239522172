"""The queries, a row each. What each answers is in `answers`; a query that is added later is one row more here."""

from gitmaild.adapters.client import answers, people
from gitmaild.adapters.client.answers import EVENTS
from gitmaild.adapters.client.vocabulary import Parameter, Query
from gitmaild.model.message import IMPORTANCE

_LIMIT = Parameter("limit", "So many at most.", "integer", default=20)
_THREAD = Parameter("thread_id", "The conversation; compared exactly.", required=True)
_TIME = "2h (ago), 3d, or 2026-11-22T15:00:00Z."

_ROWS = (
    Query(
        "inbox",
        "Your unread mail, newest first. Listing marks nothing as read.",
        (
            _LIMIT,
            Parameter("urgent", "Urgent messages only.", "flag", default=False),
            Parameter("least", "This importance and above.", default="low", choices=IMPORTANCE),
            Parameter("since", f"Only later ones: {_TIME}", default=""),
            Parameter("thread_id", "One conversation; read and acknowledged messages included.", default=""),
            Parameter("tag", "Only subjects that begin with this tag: HANDOFF for [HANDOFF].", default=""),
            Parameter("everything", "Read and acknowledged messages as well.", "flag", default=False),
            Parameter("senders", "Only from these: names, roles, groups, with commas between them.", default=""),
            Parameter("bodies", "The texts too.", "flag", default=True),
        ),
        answers.inbox,
        of_agent=True,
    ),
    Query(
        "show",
        "One message with its text: yours, or any of the project's. Marks nothing as read.",
        (Parameter("id", "The message.", required=True),),
        answers.show,
    ),
    Query(
        "wait",
        "Wait until there is unread mail, and list it; an empty list where none came in time.",
        (
            Parameter("timeout", "Seconds; 0 looks once.", "number", default=60.0),
            _LIMIT,
            Parameter("bodies", "The texts too.", "flag", default=False),
        ),
        answers.wait,
        of_agent=True,
    ),
    Query(
        "thread",
        "A conversation, newest last.",
        (
            _THREAD,
            Parameter("last", "Only the newest so many.", "integer"),
            Parameter("since", f"Only later ones: {_TIME}", default=""),
            Parameter("tree", "Who answered what, with leases, issue and commits of the thread.", "flag", default=False),
        ),
        answers.thread,
    ),
    Query(
        "summarize",
        "A conversation in short: participants, decisions, open questions, files, the last word.",
        (_THREAD, Parameter("plain", "Without the configured program.", "flag", default=False)),
        answers.summarize,
    ),
    Query(
        "search",
        'Find messages: words, "a phrase", pre*, OR, -not, from: to: subject: body: thread: tag: path: is: after:.',
        (
            Parameter("query", 'What to find: subject:auth body:"token expired" from:GreenCastle.', required=True),
            _LIMIT,
            Parameter("offset", "Pass over so many: the next page.", "integer", default=0),
            Parameter("sort", "By what.", default="date", choices=("date", "relevance")),
        ),
        answers.search,
    ),
    Query("agents", "Who is here, on what, since when.", (), answers.agents),
    Query("whois", "What is known of one agent.", (Parameter("name", "The agent.", required=True),), answers.whois),
    Query(
        "acks",
        "Acknowledgements that are missing.",
        (
            Parameter("mine", "Only what you owe.", "flag", default=False),
            Parameter("sent", "Only what others owe you.", "flag", default=False),
            Parameter("overdue", "Only those whose time is over.", "flag", default=False),
        ),
        answers.acks,
    ),
    Query(
        "leases",
        "Who holds what, until when.",
        (
            Parameter("mine", "Yours only.", "flag", default=False),
            Parameter("ended", "Those that were released or expired as well.", "flag", default=False),
            Parameter("soon", "Only those that end within so many seconds.", "seconds"),
            Parameter("reason", "Only those whose reason holds this.", default=""),
            Parameter("limit", "So many at most.", "integer", default=100),
        ),
        answers.leases,
    ),
    Query("waiting", "Who waits for what others hold, in the order of asking.", (), answers.waiting),
    Query(
        "events",
        "What happened after a cursor, oldest first, a commit an event; its `commit` is the next cursor.",
        (
            Parameter("since", 'The cursor: the "commit" of the last event that you dealt with.', default=""),
            Parameter("last", "Only the newest so many.", "integer"),
            Parameter("limit", "So many at most.", "integer", default=EVENTS),
            Parameter("all_projects", "Of every project in this home.", "flag", default=False),
        ),
        answers.events,
    ),
    Query(
        "log",
        "The audit trail: the newest commits of the mailbox.",
        (
            Parameter("limit", "So many at most.", "integer", default=50),
            Parameter("author", "Only this agent's.", default=""),
            Parameter("thread_id", "Only those of a conversation.", default=""),
            Parameter("changes", "With the paths that each put, changed or dropped.", "flag", default=False),
        ),
        answers.log,
    ),
    Query(
        "audit",
        "Who knew what when: what each participant of a thread had received, read and acknowledged by then.",
        (_THREAD, Parameter("at", f"By then: {_TIME} Default: now.", default="")),
        answers.audit,
    ),
    Query("status", "Is the daemon running, what waits, what is wrong.", (), answers.status),
)

QUERIES: dict[str, Query] = {row.name: row for row in (*_ROWS, *people.QUERY_ROWS)}
