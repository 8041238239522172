"""What the guard says of the paths that a commit touches. Imported at every commit: nothing here is worth an import."""

from gitmaild.model.glob import composed
from gitmaild.model.leaseview import Row, Torn, View
from gitmaild.model.pattern import Pattern
from gitmaild.model.pattern_table import PatternTable


class Finding:
    """A lease that covers touched paths: the first of them, and how many more."""

    __slots__ = ("more", "path", "row")

    def __init__(self, path: str, row: Row) -> None:
        self.path, self.row, self.more = path, row, 0


class Judgement:
    """Findings, each lease once, in the order of the paths.

    `blocked`: exclusive leases of others. `read_only`: own shared leases on paths of which one holds no exclusive lease.
    `shared`: shared leases of others. `is_holder`: an exclusive lease of one's own covers some path.
    """

    __slots__ = ("blocked", "is_holder", "read_only", "shared")

    def __init__(self) -> None:
        self.blocked: list[Finding] = []
        self.read_only: list[Finding] = []
        self.shared: list[Finding] = []
        self.is_holder = False


def judge(view: View, paths: list[str], *, who: str, stamp: str, fold: bool = False) -> Judgement:
    """Whose leases do `paths` touch, for `who` ('' for a person) at the time `stamp`?

    A lease is over in the very instant that it says. A name with an accent is one path, however it is written. Raises `Torn`
    for a pattern that is none.
    """
    said = Judgement()
    table = PatternTable()
    for row in view.rows:
        if stamp < row.expires:
            table.add(_pattern(row), row)
    found: dict[str, Finding] = {}
    for path in paths:
        rows: list[Row] = table.matching(composed(path), fold=fold)
        if not rows:
            continue
        owns = any(row.exclusive and row.holder == who for row in rows)
        said.is_holder = said.is_holder or owns
        for row in rows:
            if row.holder != who:
                _note(said.blocked if row.exclusive else said.shared, found, path, row)
            elif not owns:
                _note(said.read_only, found, path, row)
    return said


def _note(findings: list[Finding], found: dict[str, Finding], path: str, row: Row) -> None:
    if row.lease_id in found:
        found[row.lease_id].more += 1
    else:
        found[row.lease_id] = Finding(path, row)
        findings.append(found[row.lease_id])


def _pattern(row: Row) -> Pattern:
    try:
        return Pattern.parse(row.pattern, broad=True)
    except Exception as error:
        raise Torn(f"{row.lease_id} has a pattern that is none: {row.pattern!r}") from error
