"""The lease view: what the guard reads instead of the mailbox. One text file a project, written whole by rename.

    gitmaild-leases 1 GreenCastle RedCat/shared            each holder; `/shared` where some lease of its is shared
    agents BlueLake GreenCastle RedCat                     everybody who is registered
    <expiry>TAB exclusive|shared TAB <holder> TAB <fence> TAB <pattern> TAB <lease id> TAB <reason>      one line a lease
    end <tip or -> <how many leases>

The first line answers most commits before any program is started (hooks/guard), and without the last the file is torn.
A hook imports this module at every commit: nothing here is worth an import.
"""

FORMAT = "gitmaild-leases 1"
EXCLUSIVE, SHARED = "exclusive", "shared"


class Torn(ValueError):
    """The view is not whole, or of another format: nothing can be said about who holds what."""


class Row:
    """One lease on a path. `expires` is a stamp of fixed width, so that stamps compare as text."""

    __slots__ = ("_line", "exclusive", "expires", "fence", "holder", "lease_id", "pattern", "reason")

    def __init__(
        self, *, expires: str, exclusive: bool, holder: str, fence: int, pattern: str, lease_id: str, reason: str = ""
    ) -> None:
        self.expires, self.exclusive, self.holder = expires, exclusive, holder
        self.fence, self.pattern, self.lease_id, self.reason = fence, pattern, lease_id, reason
        self._line = ""

    def line(self) -> str:
        """The row as it is written. A reason is made one line; raises ValueError for a field that cannot stand on one."""
        if not self._line:
            mode = EXCLUSIVE if self.exclusive else SHARED
            fields = [self.expires, mode, self.holder, str(self.fence), self.pattern, self.lease_id]
            if any("\t" in field or "\n" in field for field in fields):
                raise ValueError(f"{self.lease_id}: a tab or a line end in {self!r}")
            self._line = "\t".join([*fields, " ".join(self.reason.split())])
        return self._line

    def _fields(self) -> tuple[str, bool, str, int, str, str, str]:
        return self.expires, self.exclusive, self.holder, self.fence, self.pattern, self.lease_id, self.reason

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Row) and self._fields() == other._fields()

    def __hash__(self) -> int:
        return hash(self._fields())

    def __repr__(self) -> str:
        return f"Row{self._fields()}"


class View:
    """Who holds what, as of `tip` ('' before the first commit)."""

    __slots__ = ("agents", "rows", "tip")

    def __init__(self, rows: list[Row], agents: list[str], tip: str) -> None:
        self.rows, self.agents, self.tip = rows, agents, tip


def render(rows: list[Row], agents: list[str], tip: str) -> bytes:
    """The file's bytes. Raises ValueError as `Row.line` does."""
    names = {row.holder for row in rows}
    shared = {row.holder for row in rows if not row.exclusive}
    holders = sorted(f"{name}/shared" if name in shared else name for name in names)
    lines = [" ".join([FORMAT, *holders]), " ".join(["agents", *sorted(agents)])]
    lines += [row.line() for row in rows]
    lines.append(f"end {tip or '-'} {len(rows)}\n")
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def parse(data: bytes) -> View:
    """Read a view back. Raises `Torn` for one that is cut, changed in its count, or of another format."""
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    if len(lines) < 4 or lines[-1]:
        raise Torn("it is cut short")
    if lines[0] != FORMAT and not lines[0].startswith(FORMAT + " "):
        raise Torn(f"its first line does not say {FORMAT!r}")
    head, end, held = lines[1].split(" "), lines[-2].split(" "), lines[2:-2]
    if head[0] != "agents" or len(end) != 3 or end[0] != "end" or end[2] != str(len(held)):
        raise Torn("it is cut short")
    return View([_row(line) for line in held], head[1:], "" if end[1] == "-" else end[1])


def _row(line: str) -> Row:
    fields = line.split("\t")
    if len(fields) != 7 or fields[1] not in (EXCLUSIVE, SHARED) or not fields[3].isdecimal():
        raise Torn(f"it has a line that is no lease: {line[:80]!r}")
    expires, mode, holder, fence, pattern, lease_id, reason = fields
    return Row(
        expires=expires,
        exclusive=mode == EXCLUSIVE,
        holder=holder,
        fence=int(fence),
        pattern=pattern,
        lease_id=lease_id,
        reason=reason,
    )
