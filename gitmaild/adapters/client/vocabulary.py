"""What may be asked of the post office, as data: every command and query with its parameters, for doors to be made from.

Here is how a request becomes front matter and body. Whether it makes sense is not decided here: what is written is read by
`rules.parse` like any other drop, and refused there, so that every door gives the same refusal.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

from gitmaild.model.errors import Refused, refuse
from gitmaild.rules import frontmatter

if TYPE_CHECKING:
    from gitmaild.adapters.client.whereabouts import Whereabouts
    from gitmaild.app.submit import Receipt

Given = Mapping[str, Any]

BODY = "body"
# Said by the door and written nowhere.
UNWRITTEN = "-"

# No number of anything is larger than this, and none is negative.
_MOST = 10**9
_FLAGS = {"true": True, "yes": True, "1": True, "": True, "false": False, "no": False, "0": False}

_SCHEMAS: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "list": {"type": "array", "items": {"type": "string"}},
    "flag": {"type": "boolean"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "seconds": {"type": "integer"},
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One thing that a command or a query takes.

    `type`: `text`, `list` (of texts), `flag`, `integer`, `number`, `seconds` (an integer, or a text: `90m`). `default`
    None: the post office has its own. `required` is for schemas: a door need not check it, since what is missing is refused.
    `field`: the front-matter field where it has another name; `BODY` for the text below it, `UNWRITTEN` for none.
    """

    name: str
    about: str
    type: str = "text"
    default: Any = None
    required: bool = False
    choices: tuple[str, ...] = ()
    field: str = ""

    def schema(self) -> dict[str, Any]:
        """As a JSON schema."""
        shown = _SCHEMAS[self.type] | {"description": self.about}
        if self.choices:
            shown["enum"] = list(self.choices)
        return shown | ({"default": self.default} if self.default is not None and not self.required else {})


@dataclass(frozen=True, slots=True)
class Command:
    """What changes something: a drop of `kind` at an agent's desk.

    `answer` gives the receipt its shape; it is told what was given, and where the desk is. `prepare` fills in what only the
    door's side knows. `is_idempotent`: saying it twice is as good as saying it once.
    """

    name: str
    kind: str
    about: str
    parameters: tuple[Parameter, ...]
    answer: "Callable[[Receipt, Given, str], dict[str, Any]]"
    prepare: "Callable[[Whereabouts, dict[str, Any]], dict[str, Any]] | None" = None
    is_idempotent: bool = True

    def schema(self) -> dict[str, Any]:
        return schema(self.parameters)


@dataclass(frozen=True, slots=True)
class Query:
    """What changes nothing. `ask` takes where one stands, and each parameter by its name. `of_agent`: asks who you are."""

    name: str
    about: str
    parameters: tuple[Parameter, ...]
    ask: Callable[..., Any]
    of_agent: bool = False

    def schema(self) -> dict[str, Any]:
        return schema(self.parameters)


REQUEST_ID = Parameter("request_id", "Makes it safe to repeat: the same id gives the first answer again.", default="")


def schema(parameters: Iterable[Parameter]) -> dict[str, Any]:
    """A JSON schema of an object that has these."""
    every = tuple(parameters)
    return {
        "type": "object",
        "properties": {parameter.name: parameter.schema() for parameter in every},
        "required": [parameter.name for parameter in every if parameter.required],
        "additionalProperties": False,
    }


def check_names(asked: Command | Query, given: Iterable[str]) -> None:
    """Raises `Refused` for an argument that a command or a query does not take."""
    known = [parameter.name for parameter in asked.parameters]
    for name in given:
        if name not in known:
            from gitmaild.rules.fields import did_you_mean  # noqa: PLC0415 - imports what most calls never need

            raise refuse(
                "unknown-argument",
                f"{asked.name} takes no {str(name)[:60]!r}{did_you_mean(str(name), known)}",
                f"{asked.name} takes {', '.join(known) or 'nothing'}",
                field=str(name)[:60],
            )


def understood(query: Query, given: Given) -> dict[str, Any]:
    """The arguments of a query as its function takes them; texts are read as numbers and flags, as of a URL.

    Raises `Refused` for what is missing, unknown, or something else than it should be.
    """
    check_names(query, given)
    found: dict[str, Any] = {}
    for parameter in query.parameters:
        value = given.get(parameter.name)
        if value is not None:
            found[parameter.name] = _read(parameter, value)
        elif parameter.required:
            raise refuse(
                "missing-argument",
                f"{query.name} needs {parameter.name}",
                f"{parameter.name}: {parameter.about}",
                field=parameter.name,
            )
    return found


def _read(parameter: Parameter, value: Any) -> Any:
    readers: dict[str, Callable[[Any], Any]] = {
        "text": _text,
        "flag": _flag,
        "integer": _integer,
        "number": _number,
        "seconds": _seconds,
    }
    try:
        read = readers[parameter.type](value)
        if parameter.choices and read not in parameter.choices:
            raise ValueError
    except (ValueError, TypeError, OverflowError):
        wanted = f"one of {', '.join(parameter.choices)}" if parameter.choices else f"a {parameter.type}"
        raise refuse(
            "bad-argument",
            f"{parameter.name}: {str(value)[:60]!r} is not {wanted}",
            f"{parameter.name}: {parameter.about}",
            field=parameter.name,
        ) from None
    return read


def _text(value: Any) -> str:
    if isinstance(value, Mapping) and "id" in value:
        value = value["id"]
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise TypeError
    text = str(value)
    text.encode()  # raises for halves of characters, which JSON can spell
    if "\0" in text:
        raise ValueError
    return text


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).lower()
    if word not in _FLAGS:
        raise ValueError
    return _FLAGS[word]


def _integer(value: Any) -> int:
    if isinstance(value, float) and not value.is_integer():
        raise ValueError
    number = int(value)
    if not 0 <= number <= _MOST:
        raise ValueError
    return number


def _number(value: Any) -> float:
    number = float(value)
    if not 0 <= number <= _MOST:  # which NaN is not either
        raise ValueError
    return number


def _seconds(value: Any) -> int:
    from gitmaild.rules.fields import span  # noqa: PLC0415

    return _integer(span(value) if isinstance(value, str) else value)


def written(command: Command, given: Given) -> tuple[str, str]:
    """Front-matter lines and body of the drop that says what is given. Raises `Refused` for what no drop can say.

    What is None, or as the post office has it anyway, is left out. A list that is required is always there, so that what is
    missing is refused as any drop without it.
    """
    check_names(command, given)
    lines: list[tuple[str, frontmatter.Written]] = [("kind", command.kind)] if command.kind != "message" else []
    body = ""
    for parameter in command.parameters:
        value = given.get(parameter.name)
        if value is None and parameter.required and parameter.type == "list":
            value = ()
        field = parameter.field or parameter.name
        if value is None or field == UNWRITTEN or (parameter.default is not None and value == parameter.default):
            continue
        if field == BODY:
            body = str(_value(parameter, value))
        else:
            lines.append((field, _value(parameter, value)))
    text = frontmatter.write(lines)
    _check_text(text + body)
    return text, body


def items(value: Any) -> tuple[str, ...]:
    """A list as it may be given: `a, b` as in a file, an iterable of texts, or of answers with an id, or one of them."""
    if isinstance(value, str):
        return frontmatter.as_list(frontmatter.Field(value, 0))
    if isinstance(value, Mapping):
        return (str(value["id"]),) if "id" in value else ()
    if isinstance(value, PathLike):
        return (str(fspath(value)),)
    if isinstance(value, Iterable):
        return tuple(name for each in value for name in (items(each) if not isinstance(each, str) else (each,)))
    return (str(value),)


def _value(parameter: Parameter, value: Any) -> frontmatter.Written:
    if parameter.type == "list":
        return items(value)
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else str(value)
    raise refuse(
        "bad-argument",
        f"{parameter.name}: {str(value)[:60]!r} is a {type(value).__name__}",
        f"give it as a {parameter.type}",
        field=parameter.name,
    )


def _check_text(text: str) -> None:
    """JSON can spell halves of characters, which no file can hold."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise _not_utf8(error) from None


def _not_utf8(error: UnicodeEncodeError) -> Refused:
    return refuse("not-utf8", f"{error.object[error.start]!r} is not a character", "send UTF-8")
