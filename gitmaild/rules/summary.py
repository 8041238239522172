"""A conversation in short, without any model: who took part, what was decided, what is open, what it is about.

Nothing is made up: every line of a summary is a line that somebody wrote, with whose it is and where.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from gitmaild.model.ids import stamp
from gitmaild.model.message import Message

# Of one body, so much is looked at; of one line that is quoted, so much is shown.
_LOOKED_AT = 64 * 1024
_LINE = 300
_SHOWN = 20

_BULLET = r"[\s>*#_+-]{0,12}"
_DECIDED = re.compile(
    rf"{_BULLET}(?:final )?(?:decision|decided|agreed|resolved)\b[*_]*\s*(?::|to\b|that\b|-|$)", re.IGNORECASE
)
_WE_DECIDED = re.compile(r"\b(?:we|i) (?:have )?(?:decided|agreed)(?:\s*:| (?:to|that|on)\b)", re.IGNORECASE)
_FILE = re.compile(
    r"(?<![\w./@:-])(?:[\w.@+-]{1,80}/){1,12}(?:[\w.@+*-]{1,80}\.\w{1,8}|\*{1,2})(?![\w/])"
    r"|(?<![\w./@:-])[\w-]{1,60}\.(?:py|js|ts|tsx|jsx|go|rs|c|h|cpp|java|rb|sh|sql|md|ya?ml|toml|json|html|css)(?![\w/])"
)
_ID = re.compile(r"(?<![\w./-])(?:[a-z]{2,12}-[a-z0-9]{0,12}\d[a-z0-9]{0,12}(?:\.\d{1,4}){0,3}|#\d{1,7})(?![\w-])")


def summary(thread_id: str, messages: Sequence[Message], open_acks: Iterable[tuple[str, str]]) -> dict[str, object]:
    """`messages` are in the order of time and at least one; `open_acks` are (message id, agent) of those missing."""
    decisions = [_quoted(message, line) for message in messages for line in _lines(message) if _is_decision(line)]
    by_id = {message.id: message for message in messages}
    return {
        "thread_id": thread_id,
        "by": "rules",
        "messages": len(messages),
        "first": stamp(messages[0].created),
        "last": stamp(messages[-1].created),
        "subject": messages[0].subject,
        "participants": _participants(messages),
        "last_decision": decisions[-1] if decisions else None,
        "decisions": decisions[::-1][:_SHOWN],
        "open_questions": _questions(messages)[::-1][:_SHOWN],
        "open_acks": [
            {"id": an_id, "agent": agent, "subject": by_id[an_id].subject} for an_id, agent in open_acks if an_id in by_id
        ],
        "files": _found(_FILE, messages),
        "ids": [an_id for an_id in _found(_ID, messages) if an_id != thread_id],
        "last_word": _quoted(messages[-1], next(_lines(messages[-1]), messages[-1].subject)),
    }


def as_text(told: dict[str, object]) -> str:
    """A thread's summary for a person to read."""
    people, acks = _rows(told["participants"]), _rows(told["open_acks"])
    lines = [
        f"thread {told['thread_id']}: {told['messages']} messages, {_minute(told['first'])} to {_minute(told['last'])} UTC",
        f"about: {told['subject'] or '(no subject)'}",
        "participants: " + ", ".join(f"{row['agent']} ({row['sent']})" for row in people),
    ]
    for name in ("last_decision", "last_word"):
        if isinstance(row := told[name], dict):
            lines.append(f"{name.replace('_', ' ')}: {row['from']}: {row['text']} ({row['id']})")
    lines += [f"open question: {row['from']}: {row['text']} ({row['id']})" for row in _rows(told["open_questions"])]
    lines += [f"open ack: {row['agent']}: {row['subject']} ({row['id']})" for row in acks]
    for name in ("files", "ids"):
        if isinstance(words := told[name], list) and words:
            lines.append(f"{name}: {', '.join(map(str, words))}")
    return "\n".join(lines)


def _rows(value: object) -> list[dict[str, object]]:
    return value if isinstance(value, list) else []


def _minute(at: object) -> str:
    return str(at)[:16].replace("T", " ")


def _lines(message: Message) -> Iterator[str]:
    """The lines that a sender wrote: not what it quotes, and no code."""
    is_code = False
    for line in message.body[:_LOOKED_AT].splitlines():
        text = line.strip()
        if text.startswith(("```", "~~~")):
            is_code = not is_code
        elif text and not is_code and not text.startswith(">"):
            yield text


def _is_decision(line: str) -> bool:
    return bool(_DECIDED.match(line) or _WE_DECIDED.search(line[:_LINE]))


def _quoted(message: Message, line: str) -> dict[str, object]:
    return {"id": message.id, "from": message.sender, "created": stamp(message.created), "text": line[:_LINE]}


def _questions(messages: Sequence[Message]) -> list[dict[str, object]]:
    """Lines that ask, of messages that nobody else has answered."""
    senders = {message.id: message.sender for message in messages}
    answered = {m.in_reply_to for m in messages if senders.get(m.in_reply_to, m.sender) != m.sender}
    return [
        _quoted(message, line)
        for message in messages
        if message.id not in answered
        for line in _lines(message)
        if line.rstrip("*_`)\"' ").endswith("?")
    ]


def _participants(messages: Sequence[Message]) -> list[dict[str, object]]:
    """Who wrote, and who was written to openly, in the order in which they came in."""
    count: dict[str, int] = {}
    for message in messages:
        count[message.sender] = count.get(message.sender, 0) + 1
        for name in (*message.to, *message.cc):
            count.setdefault(name, 0)
    return [{"agent": name, "sent": sent} for name, sent in count.items()]


def _found(pattern: re.Pattern[str], messages: Sequence[Message]) -> list[str]:
    """What a pattern finds in subjects and bodies, each once, the most often mentioned first."""
    count: dict[str, int] = {}
    for message in messages:
        for word in pattern.findall(f"{message.subject}\n{message.body[:_LOOKED_AT]}"):
            count[word] = count.get(word, 0) + 1
    return sorted(count, key=lambda word: -count[word])[: 2 * _SHOWN]
