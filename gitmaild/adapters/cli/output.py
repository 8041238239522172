"""Words on a terminal. What came in mail is shown without the power to move the cursor or to forge a line."""

import json
import re
import sys
from typing import Any

# C0 and C1 controls but tab and newline; bidirectional overrides and isolates.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """`text` with every character that a terminal would obey replaced by a visible one."""
    return _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", text)


def say(text: str = "") -> None:
    sys.stdout.write(clean(text) + "\n")


def say_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=not _is_utf8()) + "\n")


def fail(status: int, text: str) -> int:
    """Say what went wrong on stderr; the status to exit with."""
    sys.stderr.write(f"gitmaild: {clean(text)}\n")
    return status


def columns(rows: list[tuple[str, ...]]) -> None:
    """Rows in aligned columns, the last one as long as it is."""
    if not rows:
        return
    widths = [max(len(clean(row[i])) for row in rows) for i in range(len(rows[0]) - 1)]
    for row in rows:
        say("  ".join([clean(cell).ljust(width) for cell, width in zip(row, widths, strict=False)] + [row[-1]]).rstrip())


def _is_utf8() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
