"""A preset file: the drops by which roles, groups, queues and boards are set up, one after the other, between lines `---`.

It opens with `preset: NAME`, and where one likes `about` and `source`; what follows are drops of the kinds `role-bind`,
`group`, `queue` and `board`, read by the same rules as in an outbox. Stricter in two ways: a field that is not known is
refused, and so is what takes something away. Lines that begin with `#` are comments. The whole is YAML, several documents.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from gitmaild.model.commands import KINDS, BindRole, EditList, Envelope
from gitmaild.model.directory import BOARD, MailingList, Role
from gitmaild.model.errors import Refused, refuse
from gitmaild.model.names import OVERSEER, is_list_name
from gitmaild.model.preset import Entry, Preset
from gitmaild.model.settings import Settings
from gitmaild.rules import frontmatter, parse
from gitmaild.rules.fields import did_you_mean, short
from gitmaild.rules.frontmatter import Fields

LIMIT = 64 * 1024

_BOM = b"\xef\xbb\xbf"
_HEAD = ("preset", "about", "source")
_KINDS = ("role-bind", "group", "queue", "board")
_TAKING_AWAY = ("remove", "delete")
# Whoever submits an entry has a desk of its own; until then it is the Overseer's.
_NOBODY_YET = Envelope("", "", OVERSEER)


def read(data: bytes, file: str, settings: Settings) -> Preset:
    """The preset in a file. Raises `Refused` for what is wrong in it, with the line and the mend."""
    try:
        if len(data) > LIMIT:
            raise refuse("too-large", f"{len(data)} bytes; limit {LIMIT}", "make two presets of it")
        head, *sections = list(_sections(data)) or [{}]
        name, about, source = _head(head)
        entries = tuple(_entry(fields, file, settings) for fields in sections)
    except Refused as refused:
        raise located(refused, file) from None
    if not entries:
        raise refuse("empty-preset", f"{file}: nothing after the head", "add a line ---, then kind: role-bind, role: Mayor")
    _check_once(entries)
    return Preset(name, about, source, entries)


def located(refused: Refused, where: str) -> Refused:
    """The same refusal, which says where."""
    return Refused(replace(refused.refusal, reason=f"{where}: {refused.refusal.reason}"))


def bind(preset: Preset, bindings: Mapping[str, tuple[str, ...]]) -> Preset:
    """The preset with holders for its roles and members for its groups and queues. Raises `Refused`."""
    names = {entry.name for entry in preset.entries}
    for name in bindings:
        if name not in names:
            way_out = f"it has {', '.join(entry.name for entry in preset.entries if entry.kind != BOARD)}"
            raise refuse("unknown-entry", f"no {name[:40]!r} in {preset.name}{did_you_mean(name, names)}", way_out)
    return replace(preset, entries=tuple(_bound(entry, bindings.get(entry.name, ())) for entry in preset.entries))


def drop(entry: Entry) -> tuple[str, str]:
    """(kind, front-matter lines) of the drop that an entry stands for."""
    command = entry.command
    keys = ("role", "agent") if isinstance(command, BindRole) else ("name", "members", "add", "keep", "claim_seconds")
    said = [(key, getattr(command, key)) for key in (*keys, "about", "lease_seconds")]
    given = [(key, value) for key, value in said if value is not None and (key, value) != ("add", ())]
    return "role-bind" if isinstance(command, BindRole) else command.kind, frontmatter.write(given)


def changes(before: Role | MailingList | None, after: Role | MailingList) -> tuple[str, ...]:
    """What is other than it was, a line each."""
    keys = ("holder",) if isinstance(after, Role) else ("members", "keep", "claim_seconds")
    found = []
    for key in (*keys, "lease_seconds", "about"):
        old, new = (_shown(getattr(one, key)) if one else "" for one in (before, after))
        if old != new:
            found.append(f"{key}: {old} -> {new or 'none'}" if old else f"{key}: {new}")
    return tuple(found)


def _shown(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value or "")


def _sections(data: bytes) -> Iterator[Fields]:
    """The fields of each part that has any. Blank lines stand for what was before it, so that lines count from the top."""
    lines = data.removeprefix(_BOM).replace(b"\r\n", b"\n").split(b"\n")
    lines = [b"" if line.startswith(b"#") else line for line in lines]
    start = 0
    for end in [*(at for at, line in enumerate(lines) if line.rstrip() == b"---"), len(lines)]:
        if any(line.strip() for line in lines[start:end]):
            text = b"\n" * start + b"\n".join(lines[start:end])
            yield frontmatter.read(text, limit=len(text), fenced=False)[0]
        start = end + 1


def _head(fields: Fields) -> tuple[str, str, str]:
    name = fields["preset"].value.strip() if "preset" in fields else ""
    if not name:
        raise refuse(
            "no-preset", f"line {_first(fields)}: no preset", 'open the file with "preset: my-town"', field="preset"
        )
    _check_known(fields, _HEAD)
    if not is_list_name(name):
        line = fields["preset"].line
        raise refuse(
            "bad-name",
            f"line {line}: preset: {name[:40]!r} cannot name a preset",
            "use lower case letters and dashes, 2 to 40: my-town",
            field="preset",
            line=line,
        )
    about, source = (short(key, fields[key]) if key in fields else "" for key in _HEAD[1:])
    return name, about, source


def _entry(fields: Fields, file: str, settings: Settings) -> Entry:
    first = _first(fields)
    try:
        command = _command(fields, settings)
    except Refused as refused:
        no = refused.refusal
        line = no.line or first
        reason = no.reason if no.reason.startswith("line ") else f"line {line}: {no.reason}"
        raise Refused(replace(no, reason=reason, line=line)) from None
    return Entry(command, f"{file}: line {first}")


def _command(fields: Fields, settings: Settings) -> BindRole | EditList:
    kind = fields["kind"].value if "kind" in fields else ""
    if kind not in _KINDS:
        what = f"kind: {kind[:40]!r} does not belong into a preset{did_you_mean(kind, _KINDS)}" if kind else "no kind"
        line = fields["kind"].line if "kind" in fields else 0
        raise refuse("unknown-kind", what, f"use one of {', '.join(_KINDS)}", field="kind", line=line)
    for key in _TAKING_AWAY:
        if key in fields:
            raise refuse(
                "only-adds",
                f"{key}: a preset takes nothing away",
                f"remove the line, and see gitmaild {kind} --help",
                field=key,
                line=fields[key].line,
            )
    _check_known(fields, ("kind", *(key for key in KINDS[kind] if key not in _TAKING_AWAY)))
    command = parse.command(fields, "", _NOBODY_YET, settings)
    assert isinstance(command, BindRole | EditList)
    return command


def _check_known(fields: Fields, known: tuple[str, ...]) -> None:
    for key, field in fields.items():
        if key not in known:
            raise refuse(
                "unknown-field",
                f"line {field.line}: {key}: is not known here{did_you_mean(key, known)}",
                f"use {', '.join(known)}",
                field=key,
                line=field.line,
            )


def _check_once(entries: tuple[Entry, ...]) -> None:
    seen: dict[str, Entry] = {}
    for entry in entries:
        if entry.name in seen:
            reason = f"{entry.where}: {entry.name} is there already: {seen[entry.name].where}"
            raise refuse("duplicate-entry", reason, "keep one of them")
        seen[entry.name] = entry


def _bound(entry: Entry, agents: tuple[str, ...]) -> Entry:
    command, said = entry.command, f"{entry.name}={','.join(agents)}"
    if not agents:
        return entry
    if isinstance(command, BindRole):
        if len(agents) > 1:
            raise refuse("one-holder", f"{said}: a role has one holder", "name one of them, or bind a group")
        return Entry(replace(command, agent=agents[0]), said)
    if command.kind == BOARD:
        raise refuse("no-members", f"{said}: a board has no members", "all may read it and post on it")
    return Entry(replace(command, add=tuple(dict.fromkeys((*command.add, *agents)))), said)


def _first(fields: Fields) -> int:
    return min((field.line for field in fields.values()), default=1)
