"""What is wrong right now, in words for a person. An alarm is raised by a key and cleared by it."""

from datetime import datetime

from gitmaild.model.ids import stamp


class Alarms:
    def __init__(self) -> None:
        self._raised: dict[str, tuple[str, str]] = {}

    def raise_(self, key: str, text: str, now: datetime) -> bool:
        """True where this is news."""
        before = self._raised.get(key)
        self._raised[key] = (text, before[1] if before and before[0] == text else stamp(now))
        return before is None or before[0] != text

    def clear(self, key: str) -> None:
        self._raised.pop(key, None)

    def set(self, key: str, text: str, now: datetime) -> None:
        """Raise where there is a text, clear where there is none."""
        if text:
            self.raise_(key, text, now)
        else:
            self.clear(key)

    def __contains__(self, key: str) -> bool:
        return key in self._raised

    def listed(self) -> list[dict[str, str]]:
        return [{"alarm": key, "text": text, "since": since} for key, (text, since) in sorted(self._raised.items())]
