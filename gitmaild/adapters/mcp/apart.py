"""What is heavy, done in a child: the process that called stays as small as it was, and gets the answer through a pipe.

Only for processes of one thread. A forked child has everything that its parent had loaded, so it costs what it loads itself.
"""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gitmaild.adapters.client.lobby import Lobby, Seat
from gitmaild.adapters.client.rows import Page, rows
from gitmaild.model.drop import Hint
from gitmaild.model.errors import MailError, Refused, Verdict, refuse


class ChildDied(MailError):
    """The child ended without an answer."""

    code = "child-died"
    verdict = Verdict.TEMPORARY


def apart(call: Callable[[], Any]) -> Any:
    """What `call` returns, or raises, done in a child process. Its value must be one that JSON can hold."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _answer(call, reading, writing)
    os.close(writing)
    with open(reading, "rb") as pipe:
        data = pipe.read()
    os.waitpid(child, 0)
    return _unpacked(json.loads(data or b"[]"))


def _answer(call: Callable[[], Any], reading: int, writing: int) -> None:
    """The child's whole life. It must not return into what its parent was doing."""
    try:
        os.close(reading)
        with open(writing, "wb") as pipe:
            pipe.write(json.dumps(_packed(call)).encode())
    finally:
        os._exit(0)


def _packed(call: Callable[[], Any]) -> list[Any]:
    try:
        value = call()
    except Refused as refused:
        no = refused.refusal
        return ["refused", no.code, no.reason, no.mend, no.field]
    except MailError as error:
        return ["failed", error.code, str(error), error.verdict is Verdict.TEMPORARY]
    except OSError as error:
        return ["trouble", error.errno or 0, error.strerror or str(error)]
    except Exception:  # noqa: BLE001 - a bug is told where people look, and to who asked that it is one
        import traceback  # noqa: PLC0415

        traceback.print_exc()
        return ["bug"]
    if isinstance(value, Page):
        return ["page", value, value.note, value.more]
    return ["value", value]


def _unpacked(told: list[Any]) -> Any:
    match told:
        case ["value", value]:
            return rows(value)
        case ["page", found, note, more]:
            return rows(Page(found, note=note, more=more))
        case ["refused", code, reason, mend, field]:
            raise refuse(code, reason, mend, field=field)
        case ["failed", code, text, again]:
            raise _failed(code, text, Verdict.TEMPORARY if again else Verdict.PERMANENT)
        case ["trouble", number, text]:
            raise OSError(number, text)
        case ["bug"]:
            raise RuntimeError("a bug in what was done apart; its traceback is above")
    raise ChildDied("the process that was asked ended without an answer")


def _failed(code: str, text: str, verdict: Verdict) -> MailError:
    error = MailError(text)
    error.code, error.verdict = code, verdict
    return error


class SmallLobby(Lobby):
    """A lobby whose own process opens no mailbox: where nobody serves the home, a child runs the pass."""

    def stand(self, project: str | None = None, agent: str | None = None, *, patience: float = 10.0) -> Seat:
        return _SmallSeat(self, project, agent, patience)


class _SmallSeat(Seat):
    def serve(self, hints: list[Hint]) -> bool:
        return bool(apart(lambda: super(_SmallSeat, self).serve(hints)))


def open_lobby(home: str | None, environment: Mapping[str, str]) -> SmallLobby:
    """The lobby of a process that was started where its agent works."""
    return SmallLobby(home, environment=environment, here=Path.cwd())
