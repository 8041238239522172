"""How every door writes: drop the file that an agent would drop, wait for the answer that an agent would get."""

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gitmaild.app.reading import check_desk
from gitmaild.model.drop import Hint, How
from gitmaild.model.errors import MailError, Refusal, Verdict, refuse
from gitmaild.model.message import Value
from gitmaild.rules import frontmatter

if TYPE_CHECKING:
    from gitmaild.app.ports import DeskRoot

# An answer is a message with its body, and a little more.
_ANSWER_LIMIT = 1 << 22

# Sleeps, and may say for how long it did, where that was not what it was asked.
Pause = Callable[[float], float | None]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a dropped command.

    `answer` holds the front matter of the file in `sent/`, `refusal` the reason in `rejected/`. Neither: it is queued, the
    file stands in the outbox and will be answered; `trouble` is what kept this process from doing so itself.
    """

    stem: str
    answer: dict[str, Value] = field(default_factory=dict)
    refusal: Refusal | None = None
    file: str = ""
    trouble: str = ""

    @property
    def is_queued(self) -> bool:
        return not self.answer and self.refusal is None

    def text(self, key: str) -> str:
        value = self.answer.get(key, "")
        return value if isinstance(value, str) else ", ".join(value)

    def rows(self, key: str) -> list[dict[str, object]]:
        """A list whose items are flow mappings; [] where there is none."""
        value = self.answer.get(key, ())
        return frontmatter.read_rows(value) if isinstance(value, tuple) else []

    def items(self, key: str) -> tuple[str, ...]:
        value = self.answer.get(key, ())
        return frontmatter.as_list(frontmatter.Field(value, 0)) if isinstance(value, str) else value


class AttachmentWaits(MailError):
    """A file of that name, with other bytes, waits in the outbox for a message that has not been taken yet."""

    code = "attachment-waits"
    verdict = Verdict.TEMPORARY


def submit(
    root: "DeskRoot",
    agent: str,
    stem: str,
    lines: str,
    body: str = "",
    *,
    serve: Callable[[list[Hint]], bool],
    pause: Pause,
    patience: float,
    attachments: Iterable[tuple[str, bytes]] = (),
    is_joining: bool = False,
) -> Receipt:
    """Drop a command at `agent`'s desk and wait up to `patience` seconds for its answer.

    `stem` must be unused. `serve(hints)` runs one pass in this process; it returns False where another process serves this
    home, and is asked again until that one has answered or is gone. `is_joining`: the desk may be
    made by this. Raises `Refused` for an agent without a desk, `AttachmentWaits`, and OSError where the outbox cannot be
    written: nothing was left behind then. A refused command leaves no attachments behind either.
    """
    if not is_joining:
        check_desk(root, agent)
    outbox = f"agents/{agent}/outbox"
    files = {f"{outbox}/files/{_bare(name)}": data for name, data in attachments}
    fresh = [path for path, data in files.items() if _is_fresh(root, path, data)]
    try:
        for path in fresh:
            root.put(path, files[path], mode=0o644)
        root.put(f"{outbox}/{stem}.md", frontmatter.fence(lines, body).encode(), mode=0o644)
    except OSError:
        _take_back(root, fresh)
        raise
    hints = [Hint(f"{root.key}/{outbox}", f"{stem}.md", How.RENAMED)]
    receipt = _wait(root, agent, stem, serve=lambda: serve(hints), pause=pause, patience=patience)
    if receipt.refusal is not None:
        _take_back(root, fresh)
    return receipt


def _bare(name: str) -> str:
    """A name that stays in `files/`: it is written before the rules see it."""
    if name in ("", ".", "..") or "/" in name or not name.isprintable():
        raise refuse("bad-attachment", f"{name[:80]!r} is not a bare file name", "name it without directories: report.txt")
    return name


def _is_fresh(root: "DeskRoot", path: str, data: bytes) -> bool:
    waiting = root.read(path)
    if waiting is not None and waiting != data:
        raise AttachmentWaits(f"{path} still waits for another message; give yours another name")
    return waiting is None


def _take_back(root: "DeskRoot", paths: Iterable[str]) -> None:
    for path in paths:
        with contextlib.suppress(OSError):
            root.remove(path)


def _wait(
    root: "DeskRoot",
    agent: str,
    stem: str,
    *,
    serve: Callable[[], bool],
    pause: Pause,
    patience: float,
) -> Receipt:
    """The answer, or a queued receipt. From here on the file stands in the outbox, so nothing is raised."""
    waited, step, over, trouble = 0.0, 0.002, False, ""
    while True:
        receipt = None
        try:
            over = serve()
            receipt = find(root, agent, stem)
        except (MailError, OSError) as error:
            over, trouble = True, str(error)
        if receipt is not None or over or waited >= patience:
            return receipt or Receipt(stem, trouble=trouble)
        slept = pause(step)
        waited += step if slept is None else slept
        step = min(step * 1.5, 0.05)


def find(root: "DeskRoot", agent: str, stem: str) -> Receipt | None:
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
