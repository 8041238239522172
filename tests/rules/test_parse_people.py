"""Drops about people, and a hand-off to one's next self."""

import pytest

from tests.build import Shop


@pytest.fixture
def shop() -> Shop:
    return Shop("RalphWorker")


def test_a_hand_off_is_mail_to_oneself_with_a_section_for_each_thing(shop: Shop) -> None:
    shop.accepted(
        "RalphWorker",
        "",
        kind="handoff",
        completed="the parser, its tests",
        remaining="docs",
        next="write them",
        iteration="7",
    )
    (message,) = shop.messages("RalphWorker")
    assert (message.thread_id, message.subject) == ("continuity", "[HANDOFF] Iteration 7: next: write them")
    assert message.body == (
        "\n## Completed\n\n- the parser, its tests\n\n## Remaining\n\n- docs\n\n## Blockers\n\nnone\n\n## Next\n\n- write them\n"
    )
    assert dict(message.extra)["iteration"] == "7"


def test_a_hand_off_takes_lists_and_notes(shop: Shop) -> None:
    shop.accepted("RalphWorker", "Mind the dates.\n", kind="handoff", completed="\n- one\n- two", files="\n- src/a.py")
    (message,) = shop.messages("RalphWorker")
    assert "- one\n- two\n" in message.body
    assert message.body.endswith("## Files\n\n- src/a.py\n\nMind the dates.\n")


@pytest.mark.parametrize("fields", [{}, {"completed": ""}, {"files": "src/a.py"}, {"iteration": "3"}])
def test_a_hand_off_that_says_nothing_is_refused(shop: Shop, fields: dict[str, str]) -> None:
    assert shop.refused("RalphWorker", " \n", kind="handoff", **fields).code == "empty-handoff"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"kind": "contact-policy"}, "no-policy"),
        ({"kind": "contact-request"}, "no-agent"),
        ({"kind": "contact-approve"}, "no-agents"),
        ({"kind": "contact-approve", "agents": "Red Cat"}, "bad-address"),
        ({"kind": "dnd", "on": "perhaps"}, "bad-boolean"),
        ({"kind": "role-bind", "role": "Mayor"}, "no-agent"),
        ({"kind": "role-bind", "agent": "RedCat"}, "no-role"),
        ({"kind": "group"}, "no-name"),
        ({"kind": "queue", "name": "q", "claim_seconds": "soon"}, "bad-time-span"),
        ({"kind": "board", "name": "news", "keep": "0"}, "bad-time-span"),
        ({"kind": "claim"}, "no-queue"),
        ({"kind": "give-back"}, "no-ids"),
        ({"kind": "give-back", "ids": "x"}, "bad-id"),
    ],
)
def test_what_is_missing_or_wrong_is_said(shop: Shop, fields: dict[str, str], code: str) -> None:
    assert shop.refused("RalphWorker", **fields).code == code
