"""What the door says: JSON, and refusals of one shape."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from gitmaild.model.errors import MailError, Refused, Verdict

# Refusals that mean: there is no such thing.
_NOT_FOUND = frozenset({"no-message", "no-agent", "no-project", "unknown-call", "no-page"})


class Turned(Exception):
    """A request that goes no further: its status, and what its sender is told."""

    def __init__(self, status: int, code: str, reason: str, mend: str, **headers: str) -> None:
        super().__init__(reason)
        self.status, self.value = status, refusal(code, reason, mend)
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def response(self) -> Response:
        return answer(self.value, self.status, self.headers)


def refusal(code: str, reason: str, mend: str) -> dict[str, str]:
    return {"code": code, "reason": reason, "mend": mend}


def answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    # A half of a character, which some old file name may hold, is spelled as JSON spells it.
    return Response(
        json.dumps(value, separators=(",", ":")) + "\n", status, headers=dict(headers or {}), media_type="application/json"
    )


def failed(error: Exception) -> tuple[int, dict[str, str]]:
    """Status and refusal for what the post office raised. Raises what is a mistake of our own."""
    if isinstance(error, Refused):
        status = 404 if error.code in _NOT_FOUND else 422
        return status, refusal(error.code, error.reason, error.mend)
    if isinstance(error, MailError):
        again = "try again" if error.verdict is Verdict.TEMPORARY else "gitmaild status says what is wrong"
        return 503, refusal(error.code, str(error), f"nothing was left behind; {again}")
    if isinstance(error, OSError):
        return 503, refusal("disk", error.strerror or type(error).__name__, "nothing was left behind, try again")
    raise error
