"""A conversation as a tree: who answered what."""

from collections.abc import Iterable

from gitmaild.model.message import Message


def tree(messages: Iterable[Message]) -> list[tuple[int, Message]]:
    """(depth, message) in the order in which a tree is read: each answer below what it answers, the older first.

    What answers a message of another thread, or one that is not here, begins a tree of its own. Depth may be as large as the
    thread, so nothing here, or of those who show it, may recurse.
    """
    ordered = sorted(messages, key=lambda message: message.created)
    here = {message.id for message in ordered}
    below: dict[str, list[Message]] = {}
    for message in ordered:
        below.setdefault(message.in_reply_to if message.in_reply_to in here else "", []).append(message)
    found: list[tuple[int, Message]] = []
    seen: set[str] = set()
    # What answers itself, in a ring, can come only from a foreign commit, and is shown as if it answered nothing.
    for start in (*below.get("", []), *ordered):
        left = [(0, start)]
        while left:
            depth, message = left.pop()
            if message.id not in seen:
                seen.add(message.id)
                found.append((depth, message))
                left += [(depth + 1, answer) for answer in reversed(below.get(message.id, []))]
    return found
