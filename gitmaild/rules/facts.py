"""What a body says in lines `Key: value`, as agents' protocols do: a subject that names the event, then its particulars."""

import re

_LINE = re.compile(r"([A-Za-z][A-Za-z0-9 _-]{0,63}):(?:[ \t]+(.*))?")


def facts(body: str) -> dict[str, str]:
    """The lines `Key: value` that a body opens with, up to the first blank one; {} where another line stands among them."""
    found: dict[str, str] = {}
    for line in body.strip().splitlines():
        if not line.strip():
            break
        match = _LINE.fullmatch(line.strip())
        if match is None:
            return {}
        found.setdefault(match[1], match[2] or "")
    return found
