"""Who may come in by the HTTP door, and as whom."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token that was given out allows. Of the token itself only its SHA-256 is kept.

    `agent` of `project` is who speaks with it. `may_write` False: it asks, and changes nothing. `is_login`: it is the
    cookie of a browser. Times are stamps in UTC; `expires` is '' where it holds until it is revoked.
    """

    id: str
    digest: str
    agent: str
    project: str = ""
    may_write: bool = True
    is_login: bool = False
    created: str = ""
    expires: str = ""

    def is_over(self, now: datetime) -> bool:
        return bool(self.expires) and datetime.fromisoformat(self.expires) <= now
