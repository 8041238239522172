"""Words on a terminal. What came in mail is shown without the power to move the cursor or to forge a line."""

import json
import re
import sys
from typing import Any

# C0 and C1 controls but tab and newline; bidirectional overrides and isolates; line separators.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """`text` with every character that a terminal would obey replaced by a visible one."""
    return _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", text)


def say(text: str = "") -> None:
    sys.stdout.write(clean(text) + "\n")


def say_json(value: Any) -> None:
    """JSON for programs, that is harmless on a terminal too: what JSON leaves bare and a terminal obeys is escaped."""
    sys.stdout.write(escaped(json.dumps(value, indent=2, ensure_ascii=not _is_utf8())) + "\n")


def escaped(text: str) -> str:
    """JSON that a terminal does not obey."""
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def fail(status: int, text: str) -> int:
    """Say what went wrong on stderr; the status to exit with."""
    sys.stderr.write(f"gitmaild: {clean(text)}\n")
    return status


def columns(rows: list[tuple[str, ...]]) -> None:
    """Rows in aligned columns, one line each, the last column as long as it is."""
    lines = [tuple(" ".join(clean(cell).splitlines()) for cell in row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)][:-1]
    for *cells, last in lines:
        say("  ".join([*(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)), last]).rstrip())


def _is_utf8() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
