"""Front matter: lines `key: value`, and the value is the rest of the line, literally.

Agents write `subject: [br-123] Start: Auth API`, which YAML refuses, and `on: yes`, which YAML changes. Here a value has
no meaning for `:` `#` `*` `!` `@` `[`; it loses one pair of enclosing quotes and nothing else. Where a value *is* a valid
quoted or block scalar, it is read as YAML reads it. Everything that gitmaild writes is valid YAML as well, and reads back
the same through both.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from gitmaild.model.errors import Refused, refuse
from gitmaild.model.ids import stamp
from gitmaild.model.message import Value

_OPEN = re.compile(rb"(?:\xef\xbb\xbf)?---[ \t]*\r?\n")
_CLOSE = re.compile(rb"^---[ \t]*\r?(?:\n|\Z)", re.MULTILINE)
_BOM = b"\xef\xbb\xbf"
KEY = re.compile(r"([A-Za-z][A-Za-z0-9_-]{0,63})[ \t]*:[ \t]*(.*)")
# gitmaild's own files may group their keys: `shop.repository`.
DOTTED_KEY = re.compile(r"([A-Za-z0-9-][A-Za-z0-9_.-]{0,127})[ \t]*:[ \t]*(.*)")
_BLOCK = re.compile(r"[|>](?:[+-]?[1-9]?|[1-9][+-])")
# A node property of YAML where a plain word is expected: `&a [..]`, `*a`, `!!python/object`.
_YAML_NODE = re.compile(r"&\w+(?:\s|$)|\*\w+$|!![\w/.:]+|!<")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./+@()=-]*(?: [A-Za-z0-9_./+@()=-]+)*")
_YAML_WORDS = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null"])
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\']|\'\')*\'')
# What no header may hold, spelled out or written as an escape: controls but tab and newline, halves of surrogate pairs.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
# Characters that JSON leaves alone and YAML does not print: C1 controls, line separators, BOM, non-characters.
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")

MAX_ITEMS = 10_000


@dataclass(frozen=True, slots=True)
class Field:
    """One field as it was written: its text, or its items where it was written as a list below the key."""

    value: str
    line: int
    items: tuple[str, ...] | None = None


Fields = dict[str, Field]


def is_closed(data: bytes) -> bool:
    """True once the front matter's second `---` is there: the file may be complete."""
    opening = _OPEN.match(data)
    return opening is not None and _CLOSE.search(data, opening.end()) is not None


def read(data: bytes, *, limit: int, fenced: bool = True, key: re.Pattern[str] = KEY) -> tuple[Fields, str]:
    """Split a dropped file into its fields and its body, the body byte for byte.

    `limit` bounds the front matter in bytes. A file with `fenced=False` (a `.yaml` drop) may leave the fences out.
    Raises `Refused` with the line for anything that is not `key: value`.
    """
    start, end, rest, first_line = _split(data, limit=limit, fenced=fenced)
    header, body = _text(data, "front matter", start, end), _text(data, "body", rest, len(data))
    return _fields(header, first_line, key), body


def as_list(field: Field) -> tuple[str, ...]:
    """A list field: `a, b`, `[a, b]`, or the `- item` lines below the key. A comma inside {} or [] does not split."""
    if field.items is not None:
        return field.items
    text = field.value
    parts, paired = _split_commas(text[1:-1]) if text.startswith("[") and text.endswith("]") else ([], False)
    if not paired:
        parts, _ = _split_commas(text)
    return tuple(unquote(part.strip()) for part in parts if part.strip())


def refuse_yaml_nodes(key: str, field: Field) -> None:
    """Refuse an alias, an anchor or a tag, in a field whose text is not free."""
    for text in field.items if field.items is not None else (field.value,):
        if _YAML_NODE.match(text):
            raise refuse(
                "yaml-node",
                f"line {field.line}: {key}: YAML anchors, aliases and tags are not allowed",
                "write the value itself",
                field=key,
                line=field.line,
            )


def refuse_control_characters(key: str, field: Field) -> None:
    """Refuse what a quoted scalar can spell and no reader can see: `"a\\u0000b"`."""
    for text in (field.value, *(field.items or ())):
        _no_control_characters(key, text, field.line)


def unquote(text: str) -> str:
    """`text` as YAML reads it where it is a valid quoted scalar; else without one enclosing pair of quotes."""
    if len(text) < 2 or text[0] not in "\"'" or text[-1] != text[0]:
        return text
    inner = text[1:-1]
    if text[0] == '"':
        try:
            return str(json.loads(text))
        except ValueError:
            pass
    elif "'" not in inner:
        return inner
    loaded = _yaml_scalar(text)
    if loaded is not None:
        return loaded
    return text if text[0] in inner else inner


def scalar(text: str) -> str:
    """`text` as one YAML scalar that this module reads back unchanged."""
    if _PLAIN.fullmatch(text) and text.lower() not in _YAML_WORDS:
        return text
    return _printable(json.dumps(text, ensure_ascii=False))


Written = Value | bool | int | datetime


def write(fields: Iterable[tuple[str, Written]]) -> str:
    """Front-matter lines without fences. Tuples become flow lists; empty ones and empty texts stay visible."""
    return "".join(f"{key}: {_rendered(value)}\n" for key, value in fields)


def write_lines(key: str, items: Iterable[str]) -> str:
    """A list field with one item a line, for lists that people read."""
    return f"{key}:\n" + "".join(f"- {scalar(item)}\n" for item in items)


def write_rows(key: str, rows: Iterable[Mapping[str, Value | int | bool]]) -> str:
    """A list field whose items are flow mappings, one a line: YAML and, item by item, JSON. `[]` where there are none."""
    lines = [f"- {_printable(json.dumps(row, ensure_ascii=False))}\n" for row in rows]
    return f"{key}:\n" + "".join(lines) if lines else f"{key}: []\n"


def read_rows(items: Iterable[str]) -> list[dict[str, object]]:
    """The inverse of `write_rows`. Raises ValueError for an item that it did not write."""
    return [dict(json.loads(item)) for item in items]


def _printable(quoted: str) -> str:
    return _UNPRINTABLE.sub(lambda m: f"\\u{ord(m[0]):04x}", quoted)


def fence(lines: str, body: str) -> str:
    return f"---\n{lines}---\n{body}"


def _rendered(value: Written) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, tuple):
        return "[" + ", ".join(scalar(item) for item in value) + "]"
    return scalar(value)


def _split(data: bytes, *, limit: int, fenced: bool) -> tuple[int, int, int, int]:
    """Where the front matter starts and ends, where the body starts, and the number of the front matter's first line."""
    if not data.strip():
        raise refuse("empty-file", "empty file", "write front matter between two --- lines, then the message")
    opening = _OPEN.match(data)
    if opening is None and fenced:
        raise refuse(
            "no-front-matter",
            "line 1: no front matter",
            "the first line must be ---, then key: value lines, then --- again",
            line=1,
        )
    start = opening.end() if opening else len(_BOM) * data.startswith(_BOM)
    closing = _CLOSE.search(data, start) if opening else None
    end, rest = (closing.start(), closing.end()) if closing else (len(data), len(data))
    if end - start > limit:
        raise refuse(
            "front-matter-too-long",
            f"front matter: {end - start} bytes{'' if closing or not fenced else ', not closed'}; limit {limit}",
            "close it with a line --- and put long text into the body",
        )
    if closing is None and fenced:
        raise refuse("front-matter-open", "front matter not closed with ---", "add a line --- before the body")
    return start, end, rest, 2 if opening else 1


def _text(data: bytes, part: str, start: int, end: int) -> str:
    try:
        text = data[start:end].decode()
    except UnicodeDecodeError as error:
        at = start + error.start
        raise refuse(
            "not-utf8", f"{part}: byte 0x{data[at]:02x} at offset {at} is not UTF-8", "write the file as UTF-8"
        ) from None
    if "\0" in text:
        raise refuse("nul-byte", f"{part}: a NUL byte at offset {data.index(0, start)}", "remove it")
    return text


def _fields(text: str, first_line: int, key: re.Pattern[str]) -> Fields:
    fields: Fields = {}
    lines = text.replace("\r\n", "\n").split("\n")
    index, last = 0, ""
    while index < len(lines):
        line, number = lines[index], first_line + index
        index += 1
        if not line.strip():
            continue
        item = line.strip()
        if item.startswith("- ") or item == "-":
            _add_item(fields, last, item[1:].strip(), number)
            continue
        match = key.fullmatch(line)
        if match is None:
            raise _not_a_field(line, number)
        last, value = match[1].lower(), match[2].strip()
        if last in fields:
            raise refuse(
                "duplicate-key",
                f"line {number}: duplicate key {last!r} (first on line {fields[last].line})",
                "keep one of them",
                field=last,
                line=number,
            )
        if _BLOCK.fullmatch(value) and index < len(lines) and lines[index][:1] in (" ", "\t", ""):
            block = []
            while index < len(lines) and (not lines[index].strip() or lines[index][0] in " \t"):
                block.append(lines[index])
                index += 1
            fields[last] = Field(_block_scalar(value, block, number), number)
        else:
            _no_control_characters(last, value, number)
            fields[last] = Field(unquote(value), number)
    return fields


def _add_item(fields: Fields, key: str, item: str, number: int) -> None:
    field = fields.get(key)
    if field is None or (field.value and field.items is None):
        raise refuse(
            "stray-item", f"line {number}: a list item without a list", "put it below an empty key, e.g. to:", line=number
        )
    items = (*(field.items or ()), unquote(item))
    if len(items) > MAX_ITEMS:
        raise refuse("too-many-items", f"line {number}: {key}: over {MAX_ITEMS} items", "send fewer", line=number)
    _no_control_characters(key, item, number)
    fields[key] = Field("", field.line, items)


def _not_a_field(line: str, number: int) -> Refused:
    if line[:1] in (" ", "\t"):
        return refuse(
            "nested",
            f"line {number}: an indented line; front matter is flat",
            "write each field on one line, lists as a, b or as - items, long text into the body",
            line=number,
        )
    return refuse("not-a-field", f"line {number}: {line[:60]!r} is not key: value", "write key: value", line=number)


def _no_control_characters(key: str, value: str, number: int) -> None:
    if found := _CONTROL.search(value):
        raise refuse(
            "control-character",
            f"line {number}: {key}: control character 0x{ord(found[0]):02x}",
            "remove it",
            field=key,
            line=number,
        )


def _block_scalar(indicator: str, block: list[str], number: int) -> str:
    loaded = _yaml_scalar(indicator + "\n" + "\n".join(block) + "\n")
    if loaded is None:
        raise refuse(
            "bad-block", f"line {number}: the block below is not a valid YAML block scalar", "indent it evenly", line=number
        )
    return loaded


def _yaml_scalar(text: str) -> str | None:
    """`text` as YAML reads it, where it is exactly one scalar. Its size was capped with the front matter's."""
    import yaml  # noqa: PLC0415 - 18 ms that most files never need

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        events = list(yaml.parse(text, Loader=loader))
    except (yaml.YAMLError, ValueError):
        return None
    scalars = [e for e in events if isinstance(e, yaml.ScalarEvent)]
    # stream, document, one scalar, document end, stream end
    if len(events) != 5 or len(scalars) != 1 or scalars[0].anchor or scalars[0].tag:
        return None
    return str(scalars[0].value)


def _split_commas(text: str) -> tuple[list[str], bool]:
    """The parts between commas outside of quotes and brackets, and whether the brackets outside of quotes pair up."""
    if not any(mark in text for mark in "\"'[]{}"):
        return text.split(","), True
    parts: list[str] = []
    depth, lowest, start, index = 0, 0, 0, 0
    while index < len(text):
        char = text[index]
        if char in "\"'" and not text[start:index].strip() and (quoted := _QUOTED.match(text, index)):
            index = quoted.end()
            continue
        depth += (char in "[{") - (char in "]}")
        lowest = min(lowest, depth)
        if char == "," and depth <= 0:
            parts.append(text[start:index])
            start = index + 1
        index += 1
    return [*parts, text[start:]], depth == lowest == 0
