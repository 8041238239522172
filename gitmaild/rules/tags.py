"""Subject tags: `[HANDOFF] [br-123] Auth API` is tagged HANDOFF and br-123."""

import re

# The field that a delivered message has them in as well.
TAGS = "tags"
# What mail programs put before the subject that they answer or forward.
_ANSWER = re.compile(r"\s*(?:re|aw|fwd?|wg)\s*:\s*", re.IGNORECASE)
_TAG = re.compile(r"\s*\[([A-Za-z0-9][A-Za-z0-9._-]{0,99})\]")


def tags(subject: str) -> tuple[str, ...]:
    """The words in brackets that a subject begins with, each once, as they are written; `RE:` does not end the beginning."""
    found: dict[str, None] = {}
    at = 0
    while match := _TAG.match(subject, at) or _ANSWER.match(subject, at):
        at = match.end()
        if match.re is _TAG:
            found[match[1]] = None
    return tuple(found)


def is_tagged(subject: str, tag: str) -> bool:
    """Tags are compared without case, and may be asked for with their brackets."""
    return tag.strip("[]").lower() in (word.lower() for word in tags(subject))
