"""From a message to what is indexed of it: its terms, and the keys that fields of a query name exactly."""

import re
from datetime import UTC, datetime, timedelta

from gitmaild.model.message import Message
from gitmaild.model.search import Document
from gitmaild.rules.analysis import fold, terms
from gitmaild.rules.tags import tags

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# A foreign message may claim any time at all; up to the year 2255, an engine can order by it.
_LAST = 2**53 - 1

# `src/api`, `./a/b.py`, `~/notes.md`, or a file's bare name. Whatever stands before decides that it is none, as in a URL.
_PATH = re.compile(
    r"(?<![\w/.:@%?=&#\\-])(?:~?/|\.{1,2}/)?(?:[\w.@+$-]+/)+(?:[\w.@+$-]*\w)?"
    r"|(?<![\w/.:@%?=&#\\-])[\w+-][\w.+-]*\."
    r"(?:c|cc|cfg|conf|cpp|cs|css|csv|go|h|hpp|html|ini|java|js|json|jsx|kt|lock|lua|md|mjs|php|proto|py|pyi|rb|rs|rst|sass"
    r"|scala|scss|sh|sql|svelte|swift|toml|ts|tsx|txt|vue|xml|yaml|yml|zig)(?![\w.-]*[\w-])"
)
# What is read out of one message; more is a listing, and nobody looks for a message by it.
_PATHS, _DEPTH = 100, 12


def microseconds(moment: datetime) -> int:
    """The number that stands for a time in an index."""
    return min(max((moment - _EPOCH) // _MICROSECOND, 0), _LAST)


def document(project: str, message: Message, oid: str) -> Document:
    """What is indexed of a message: nothing of its blind recipients, of whom it knows nothing."""
    return Document(
        f"{project}/{message.id}",
        oid,
        microseconds(message.created),
        terms(message.subject),
        terms(message.body),
        tuple(dict.fromkeys(_keys(project, message))),
    )


def paths(text: str) -> list[str]:
    """The files and directories that a text mentions, without what leads to the place where they begin."""
    words = (word for word in text.split() if "/" in word or "." in word)
    found = (normal_path(match[0]) for word in words for match in _PATH.finditer(word))
    return list(dict.fromkeys(path for path in found if path))[:_PATHS]


def normal_path(text: str) -> str:
    """A path as it is compared: `/`, `./`, `../` and `~/` before it and `/` behind it count for nothing."""
    return re.sub(r"^(?:~?/|\.{1,2}/)+", "", text.replace("\\", "/")).rstrip("/")


def value(text: str) -> str:
    """The form in which a field's value is compared."""
    return "-".join(fold(text).split())


def _keys(project: str, message: Message) -> list[str]:
    found = [
        f"project:{project}",
        f"id:{message.id}",
        f"thread:{value(message.thread_id)}",
        f"importance:{value(message.importance)}",
        *_address_keys("from", message.sender),
    ]
    for address in (*message.to, *message.cc):
        found += _address_keys("to", address)
    found += [f"tag:{value(tag)}" for tag in tags(message.subject)]
    for path in paths(f"{message.subject}\n{message.body}"):
        found += [f"path:{part}" for part in _ends(value(path))]
    if message.ack_required:
        found.append("has:ack")
    if message.attachments:
        found.append("has:attachment")
    return found


def _address_keys(field: str, address: str) -> list[str]:
    name = address.partition("@")[0]
    return [f"{field}:{value(text)}" for text in dict.fromkeys((address, name))]


def _ends(path: str) -> list[str]:
    """A path, the directories above it, and what it is called from inside each of them."""
    parts = [part for part in path.split("/") if part][-_DEPTH:]
    above = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
    return [*above, *("/".join(parts[start:]) for start in range(1, len(parts)))]
