"""How every door writes: drop the file that an agent would drop, wait for the answer that an agent would get."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from gitmaild.app.ports import DeskRoot
from gitmaild.model.drop import Hint, How
from gitmaild.model.errors import Refusal
from gitmaild.model.message import Value
from gitmaild.rules import frontmatter

# An answer is a message with its body, and a little more.
_ANSWER_LIMIT = 1 << 22


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a dropped command.

    `answer` holds the front matter of the file in `sent/`, `refusal` the reason in `rejected/`. Neither: it is queued, the
    file stands in the outbox and will be answered.
    """

    stem: str
    answer: dict[str, Value] = field(default_factory=dict)
    refusal: Refusal | None = None
    file: str = ""

    @property
    def is_queued(self) -> bool:
        return not self.answer and self.refusal is None

    def text(self, key: str) -> str:
        value = self.answer.get(key, "")
        return value if isinstance(value, str) else ", ".join(value)

    def items(self, key: str) -> tuple[str, ...]:
        value = self.answer.get(key, ())
        return (value,) if isinstance(value, str) else value


def submit(
    root: DeskRoot,
    agent: str,
    stem: str,
    lines: str,
    body: str = "",
    *,
    serve: Callable[[list[Hint]], bool],
    pause: Callable[[float], None],
    patience: float,
    attachments: Iterable[tuple[str, bytes]] = (),
) -> Receipt:
    """Drop a command at `agent`'s desk and wait up to `patience` seconds for its answer.

    `stem` must be unused. `serve(hints)` runs one pass in this process where no daemon does; it returns False where one
    does, or where this process may not. `pause(seconds)` sleeps. Raises OSError where the outbox cannot be written: nothing
    was left behind then.
    """
    for name, data in attachments:
        root.put(f"agents/{agent}/outbox/files/{name}", data, mode=0o644)
    root.put(f"agents/{agent}/outbox/{stem}.md", frontmatter.fence(lines, body).encode(), mode=0o644)
    outbox = f"{root.key}/agents/{agent}/outbox"
    served = serve([Hint(outbox, f"{stem}.md", How.RENAMED)])
    waited, step = 0.0, 0.002
    while True:
        receipt = find(root, agent, stem)
        if receipt is not None or waited >= (0.0 if served else patience):
            return receipt or Receipt(stem)
        pause(step)
        waited += step
        step = min(step * 1.5, 0.05)


def find(root: DeskRoot, agent: str, stem: str) -> Receipt | None:
    """The answer to the file that was dropped as `<stem>.md`, or None while there is none."""
    root.forget()
    desk = f"agents/{agent}"
    for name in root.names(f"{desk}/sent"):
        if name.startswith(f"{stem}.") and (data := root.read(f"{desk}/sent/{name}", limit=_ANSWER_LIMIT)):
            return Receipt(stem, _fields(data), file=f"{desk}/sent/{name}")
    data = root.read(f"{desk}/rejected/{stem}.md.why.md", limit=_ANSWER_LIMIT)
    if data and root.exists(f"{desk}/rejected/{stem}.md"):
        fields = _fields(data)
        code, reason, mend = (str(fields.get(key, "")) for key in ("code", "reason", "mend"))
        return Receipt(stem, refusal=Refusal(code, reason, mend), file=f"{desk}/rejected/{stem}.md")
    return None


def _fields(data: bytes) -> dict[str, Value]:
    fields, _ = frontmatter.read(data, limit=_ANSWER_LIMIT)
    return {key: field.items if field.items is not None else field.value for key, field in fields.items()}
