"""Answers: plain dictionaries and lists, ready for JSON, whose fields can be read as attributes as well."""

from collections.abc import Iterable
from typing import Any


class Row(dict[str, Any]):
    """One answer, or one entry of a list: `row["id"]` and `row.id`; `row.from_` is the field `from`."""

    def __getattr__(self, name: str) -> Any:
        key = name if name in self else name.removesuffix("_")
        try:
            return self[key]
        except KeyError:
            raise AttributeError(f"no field {name!r} in this answer; it has {', '.join(self)}") from None


class Page(list[Any]):
    """A list that is a part of more: `note` says in words what may be missing, `more` whether there is another page."""

    def __init__(self, found: Iterable[Any] = (), *, note: str = "", more: bool = False) -> None:
        super().__init__(found)
        self.note, self.more = note, more


def rows(value: Any) -> Any:
    """`value` with every dictionary in it as a `Row`."""
    if isinstance(value, dict):
        return Row((key, rows(below)) for key, below in value.items())
    if isinstance(value, Page):
        return Page(map(rows, value), note=value.note, more=value.more)
    if isinstance(value, list | tuple):
        return [rows(below) for below in value]
    return value
