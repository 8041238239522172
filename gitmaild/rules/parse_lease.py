"""What a drop of kind `reserve`, `renew` or `release` asks for."""

from gitmaild.model.commands import Envelope, Release, Renew, Reserve
from gitmaild.model.errors import refuse
from gitmaild.model.ids import LEASE_ID
from gitmaild.model.lease import SLOT_NAME
from gitmaild.model.message import Value
from gitmaild.model.pattern import BadPattern, Pattern
from gitmaild.model.settings import Settings
from gitmaild.rules import frontmatter
from gitmaild.rules.fields import boolean, other_spelling, seconds, short
from gitmaild.rules.frontmatter import Fields

Extra = tuple[tuple[str, Value], ...]


def reserve(fields: Fields, body: str, envelope: Envelope, extra: Extra, settings: Settings) -> Reserve:
    paths, slots = _many(fields, "paths", settings), _slots(fields, settings)
    if not paths and not slots:
        raise refuse(
            "no-paths", f"nothing to reserve{other_spelling('paths', fields)}", 'add "paths: src/api/**"', field="paths"
        )
    return Reserve(
        envelope,
        paths,
        slots,
        ttl_seconds=seconds(fields, "ttl_seconds", default=0, longest=settings.lease_longest),
        exclusive=boolean(fields, "exclusive", default=True),
        reason=short("reason", fields["reason"]) if "reason" in fields else "",
        wait_seconds=seconds(fields, "wait_seconds", default=0, longest=settings.lease_longest, shortest=0),
        atomic=boolean(fields, "atomic"),
        broad=boolean(fields, "broad"),
        extra=extra,
    )


def renew(fields: Fields, body: str, envelope: Envelope, extra: Extra, settings: Settings) -> Renew:
    extend = seconds(fields, "extend_seconds", default=0, longest=settings.lease_longest)
    return Renew(envelope, _ids(fields, settings), _many(fields, "paths", settings), _slots(fields, settings), extend, extra)


def release(fields: Fields, body: str, envelope: Envelope, extra: Extra, settings: Settings) -> Release:
    reason = short("reason", fields["reason"]) if "reason" in fields else ""
    return Release(
        envelope, _ids(fields, settings), _many(fields, "paths", settings), _slots(fields, settings), reason, extra
    )


def pattern(text: str, *, literal: bool = False, broad: bool = False, field: str = "paths") -> Pattern:
    """`Pattern.parse` with its refusal as everybody else's. Raises `Refused`."""
    try:
        return Pattern.parse(text, literal=literal, broad=broad)
    except BadPattern as bad:
        raise refuse(bad.code, f"{field}: {bad.reason}", bad.mend, field=field) from None


def _many(fields: Fields, key: str, settings: Settings) -> tuple[str, ...]:
    """The items of a list field, each once; not one that is there and empty: it would ask for all."""
    if key not in fields:
        return ()
    items = tuple(dict.fromkeys(frontmatter.as_list(fields[key])))
    line = fields[key].line
    if not items:
        raise refuse(
            "no-paths", f"line {line}: {key}: is empty", "name something, or leave the line out", field=key, line=line
        )
    if len(items) > settings.lease_patterns:
        raise refuse(
            "too-many-patterns",
            f"line {line}: {key}: {len(items)} items; limit {settings.lease_patterns}",
            "use wider patterns, or several files",
            field=key,
            line=line,
        )
    return items


def _ids(fields: Fields, settings: Settings) -> tuple[str, ...]:
    ids = _many(fields, "leases", settings)
    for an_id in ids:
        if not LEASE_ID.fullmatch(an_id):
            raise refuse(
                "bad-id",
                f"leases: {an_id[:80]!r} is not a lease id",
                "ids look like lease_20261122_7b3dc3a7; the answer to your reserve and .gitmaild/leases/ have them",
                field="leases",
                line=fields["leases"].line,
            )
    return ids


def _slots(fields: Fields, settings: Settings) -> tuple[str, ...]:
    slots = _many(fields, "slots", settings)
    for name in slots:
        if not SLOT_NAME.fullmatch(name):
            raise refuse(
                "bad-slot",
                f"slots: {name[:80]!r} cannot name a slot",
                "use letters, digits, dot, dash and underscore, at most 100: frontend-build",
                field="slots",
                line=fields["slots"].line,
            )
    return slots
