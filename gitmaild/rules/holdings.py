"""Who holds what: the lease files of a tree, read into values and into a table of patterns.

`Holdings` is kept between commands. Before each look it is brought in line with the tree by blob ids, so that a thousand
leases are parsed once and not for every command; what it says depends on the tree alone.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from gitmaild.model import layout
from gitmaild.model.errors import Refused
from gitmaild.model.ids import COMMAND_ID, LEASE_ID, parse_stamp, stamp
from gitmaild.model.lease import ACTIVE, EXPIRED, RELEASED, SLOT_NAME, Lease, Thing, Waiting, clash
from gitmaild.model.leaseview import Row
from gitmaild.model.names import is_desk_name
from gitmaild.model.overlap import overlap
from gitmaild.model.pattern import BadPattern, Pattern
from gitmaild.model.pattern_table import PatternTable
from gitmaild.rules import frontmatter
from gitmaild.rules.frontmatter import Fields, Written
from gitmaild.rules.tree import Tree

_NUMBER = re.compile(r"\d{8}T\d{6}\.\d{6}Z_[0-9a-f]{8,32}", re.ASCII)
# Numbers and times of a file that somebody else wrote are believed within what can be reckoned with.
_LARGEST, _YEARS = 10**15, range(1970, 9000)
_LONGEST_TERM = 10**9


class Holdings:
    """The leases and waiting requests of one project."""

    def __init__(self, project: str) -> None:
        self._project = project
        self._files: dict[str, str] = {}  # path to blob id, of everything below that was read
        self._leases: dict[str, Lease] = {}  # by path
        self._waiting: dict[str, Waiting] = {}
        self._table = PatternTable()
        self._seen = ("", "")  # the trees that were read last
        self._in_order: list[Lease] | None = None
        self._rows: dict[str, Row] = {}  # by lease id

    def look(self, tree: Tree) -> "Holdings":
        """These holdings, as the tree has them now. A file that cannot be read as what it should be holds nothing."""
        trees = tree.oid(layout.leases(self._project)), tree.oid(layout.lease_queue(self._project))
        if trees == self._seen:
            return self
        found: dict[str, str] = {}
        for directory in (layout.leases(self._project), layout.lease_queue(self._project)):
            found |= {f"{directory}/{name}": oid for name, oid in tree.entries(directory) if name.endswith(".yaml")}
        for path in [path for path, oid in self._files.items() if found.get(path) != oid]:
            self._forget(path)
        for path in found.keys() - self._files.keys():
            self._learn(path, tree.read(path) or b"")
            self._files[path] = found[path]
        self._seen = trees
        return self

    @property
    def leases(self) -> list[Lease]:
        """All that are held, the longest held first."""
        if self._in_order is None:
            self._in_order = sorted(self._leases.values(), key=lambda lease: lease.fence)
        return self._in_order

    @property
    def waiting(self) -> list[Waiting]:
        """The queue, in the order of asking."""
        return [self._waiting[path] for path in sorted(self._waiting)]

    def of(self, holder: str) -> list[Lease]:
        return [lease for lease in self.leases if lease.holder == holder]

    def in_the_way(self, thing: Thing, agent: str, *, exclusive: bool) -> list[Lease]:
        """Every lease of somebody else that keeps `agent` from holding `thing`, the longest held first."""
        if thing.slot:
            found: Iterable[Lease] = (held for held in self._leases.values() if held.thing == thing)
        else:
            found = self._table.overlapping(_pattern(thing))
        others = [held for held in found if held.holder != agent and clash(exclusive, held.exclusive)]
        return sorted(others, key=lambda held: held.fence)

    def ahead(self, thing: Thing, agent: str, *, exclusive: bool, before: str = "") -> Iterator[tuple[Waiting, Thing, str]]:
        """(request, its thing, a path that both have) of each request of somebody else that waits for the same, in order;
        with `before`, only of those that asked before that number."""
        for request in self.waiting:
            if request.agent == agent or (before and request.number >= before) or not clash(exclusive, request.exclusive):
                continue
            for other in request.things:
                witness = meet(thing, other)
                if witness is not None:
                    yield request, other, witness

    def rows(self) -> list[Row]:
        """The lease view's lines: leases on paths."""
        for lease in self.leases:
            if lease.thing.pattern and lease.id not in self._rows:
                self._rows[lease.id] = _row(lease)
        return [self._rows[lease.id] for lease in self.leases if lease.thing.pattern]

    def _learn(self, path: str, data: bytes) -> None:
        stem = path.rpartition("/")[2].removesuffix(".yaml")
        if path.startswith(layout.leases(self._project) + "/"):
            if (lease := parse_lease(stem, data)) and lease.state == ACTIVE:
                self._leases[path] = lease
                self._in_order = None
                if lease.thing.pattern:
                    self._table.add(_pattern(lease.thing), lease)
        elif request := parse_waiting(stem, data):
            self._waiting[path] = request

    def _forget(self, path: str) -> None:
        del self._files[path]
        self._waiting.pop(path, None)
        lease = self._leases.pop(path, None)
        if lease:
            self._in_order = None
            self._rows.pop(lease.id, None)
        if lease and lease.thing.pattern:
            self._table.remove(_pattern(lease.thing), lease)


def meet(one: Thing, other: Thing) -> str | None:
    """A path that both things have ('' for one slot), or None where they have nothing in common."""
    if one.slot or other.slot:
        return "" if one == other else None
    return overlap(_pattern(one), _pattern(other))


def _pattern(thing: Thing) -> Pattern:
    pattern = Pattern.parse(thing.pattern, broad=True)
    return pattern.as_file() if thing.is_file else pattern


def render_lease(lease: Lease) -> bytes:
    fields: list[tuple[str, Written]] = [
        ("id", lease.id),
        ("slot", lease.thing.slot) if lease.thing.slot else ("pattern", lease.thing.pattern),
        ("exclusive", lease.exclusive),
        ("holder", lease.holder),
        ("fence", lease.fence),
        ("granted", lease.granted),
        ("expires", lease.expires),
        ("ttl_seconds", lease.ttl_seconds),
        ("reason", lease.reason),
        ("state", lease.state),
    ]
    fields += [("file", True)] if lease.thing.is_file else []
    fields += [("warned", True)] if lease.warned else []
    fields += [("ended", lease.ended)] if lease.ended else []
    fields += [("because", lease.because)] if lease.because else []
    return frontmatter.write(fields).encode()


def parse_lease(an_id: str, data: bytes) -> Lease | None:
    """The inverse of `render_lease`, for the file called `<an_id>.yaml`; None for bytes that gitmaild would not write."""
    try:
        fields = _read(data)
        ended = _moment(_one(fields, "ended")) if "ended" in fields else None
        lease = Lease(
            fields["id"].value,
            _thing(_one(fields, "pattern"), _one(fields, "slot"), is_file=_one(fields, "file") == "true"),
            fields["holder"].value,
            fields["exclusive"].value == "true",
            _count(fields["fence"].value, _LARGEST),
            _moment(fields["granted"].value),
            _moment(fields["expires"].value),
            _count(fields["ttl_seconds"].value, _LONGEST_TERM),
            reason=_one(fields, "reason"),
            warned=_one(fields, "warned") == "true",
            state=_one(fields, "state") or ACTIVE,
            ended=ended,
            because=_one(fields, "because"),
        )
    except (Refused, KeyError, ValueError):
        return None
    is_named = LEASE_ID.fullmatch(an_id) and lease.id == an_id and is_desk_name(lease.holder)
    return lease if is_named and lease.state in (ACTIVE, RELEASED, EXPIRED) else None


def render_waiting(request: Waiting) -> bytes:
    fields: list[tuple[str, Written]] = [
        ("command", request.command_id),
        ("agent", request.agent),
        ("exclusive", request.exclusive),
        ("ttl_seconds", request.ttl_seconds),
        ("until", request.until),
        ("reason", request.reason),
        ("atomic", request.atomic),
    ]
    lists = [
        ("files", [t.pattern for t in request.things if t.is_file]),
        ("paths", [t.pattern for t in request.things if t.pattern]),
        ("slots", [t.slot for t in request.things if t.slot]),
    ]
    return (
        frontmatter.write(fields) + "".join(frontmatter.write_lines(key, items) for key, items in lists if items)
    ).encode()


def parse_waiting(number: str, data: bytes) -> Waiting | None:
    """The inverse of `render_waiting`, for the file called `<number>.yaml`."""
    try:
        fields = _read(data)
        many = {key: frontmatter.as_list(fields[key]) if key in fields else () for key in ("paths", "slots", "files")}
        request = Waiting(
            number,
            fields["command"].value,
            fields["agent"].value,
            (
                *(_thing(path, "", is_file=path in many["files"]) for path in many["paths"]),
                *(_thing("", slot) for slot in many["slots"]),
            ),
            fields["exclusive"].value == "true",
            _count(fields["ttl_seconds"].value, _LONGEST_TERM),
            _moment(fields["until"].value),
            reason=_one(fields, "reason"),
            atomic=_one(fields, "atomic") == "true",
        )
    except (Refused, KeyError, ValueError):
        return None
    is_named = _NUMBER.fullmatch(number) and COMMAND_ID.fullmatch(request.command_id) and is_desk_name(request.agent)
    return request if is_named and request.things else None


def number(command_id: str, at: datetime) -> str:
    """The name of a request in the queue: the time of asking, then what keeps it apart."""
    return f"{at:%Y%m%dT%H%M%S.%fZ}_{command_id.rpartition('_')[2]}"


def _read(data: bytes) -> Fields:
    """The fields of a file. Raises `Refused`, also for what no line of the lease view can hold."""
    fields, _ = frontmatter.read(data, limit=1 << 20, fenced=False)
    for key, field in fields.items():
        frontmatter.refuse_control_characters(key, field)
    return fields


def _count(text: str, most: int) -> int:
    if not 0 < int(text) <= most:
        raise ValueError(text)
    return int(text)


def _moment(text: str) -> datetime:
    moment = parse_stamp(text)
    if moment.year not in _YEARS:
        raise ValueError(text)
    return moment


def _thing(pattern: str, slot: str, *, is_file: bool = False) -> Thing:
    """Raises ValueError for a pattern or a name that is none: whoever wrote the file, the guard must be able to read it."""
    if slot:
        if not SLOT_NAME.fullmatch(slot):
            raise ValueError(slot)
        return Thing(slot=slot)
    try:
        return Thing(Pattern.parse(pattern, broad=True).text, is_file=is_file)
    except BadPattern as bad:
        raise ValueError(pattern) from bad


def _one(fields: Fields, key: str) -> str:
    return fields[key].value if key in fields else ""


def _row(lease: Lease) -> Row:
    return Row(
        expires=stamp(lease.expires),
        exclusive=lease.exclusive,
        holder=lease.holder,
        fence=lease.fence,
        pattern=lease.thing.pattern,
        lease_id=lease.id,
        reason=lease.reason,
    )
