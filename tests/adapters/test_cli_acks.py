"""acks: who owes an answer, to whom, since when."""

import pytest

from gitmaild import wiring
from tests.adapters.runner import Terminal


def owing(terminal: Terminal, agent: str, *options: str) -> list[tuple[str, str]]:
    rows = terminal("--as", agent, "acks", "--json", *options).json
    return [(row["agent"], row["subject"]) for row in rows]


def test_what_is_missing_is_listed_until_it_is_acknowledged(crew: Terminal) -> None:
    """Row 61."""
    mail = crew.mail("GreenCastle", "--to", "RedCat,BlueLake", "--ack", "-s", "stop")
    crew.mail("GreenCastle", "--to", "RedCat", "-s", "no matter")
    assert owing(crew, "GreenCastle", "--pending") == [("BlueLake", "stop"), ("RedCat", "stop")]
    assert owing(crew, "RedCat", "--pending") == [("RedCat", "stop")]
    assert owing(crew, "RedCat", "--sent") == []
    crew.ok("--as", "RedCat", "ack", mail)
    crew.ok("--as", "BlueLake", "read", mail)
    assert owing(crew, "GreenCastle", "--pending", "--sent") == [("BlueLake", "stop")]
    crew.ok("--as", "BlueLake", "ack", mail)
    assert owing(crew, "GreenCastle", "--pending") == []
    assert crew.ok("--as", "GreenCastle", "acks").out == "nothing is pending\n"


def test_what_is_overdue_is_listed(crew: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 62."""
    crew.mail("GreenCastle", "--to", "RedCat", "--ack-within", "5m", "-s", "stop")
    assert crew.ok("--as", "GreenCastle", "acks", "--overdue").out == "nothing is overdue\n"
    real = wiring.wall_clock()
    monkeypatch.setattr(wiring, "wall_clock", lambda: real.replace(year=real.year + 1))
    found = crew("--as", "GreenCastle", "acks", "--overdue", "--json")
    assert (found.status, [(row["agent"], row["overdue"]) for row in found.json]) == (0, [("RedCat", True)])
    assert "OVERDUE since" in crew("--as", "RedCat", "acks", "--overdue", "--mine").out


def test_a_blind_recipient_is_known_to_itself_and_to_the_sender_alone(crew: Terminal) -> None:
    crew.mail("GreenCastle", "--to", "RedCat", "--bcc", "BlueLake", "--ack", "-s", "stop")
    assert owing(crew, "GreenCastle") == [("BlueLake", "stop"), ("RedCat", "stop")]
    assert owing(crew, "BlueLake") == [("BlueLake", "stop")]
    assert owing(crew, "RedCat") == [("RedCat", "stop")]
    everybody = crew.ok("acks", "--json").json
    assert [row["agent"] for row in everybody] == ["RedCat"]


def test_usage_errors_of_acks(crew: Terminal) -> None:
    assert crew("acks", "--pending", "--overdue").status == 64
    assert "who are you" in crew("acks", "--mine").err
    assert crew("--as", "GreenCastle", "send", "--to", "RedCat", "--ack-within", "soon", stdin="").status == 65
