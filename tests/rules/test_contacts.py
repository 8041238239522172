"""Whose mail gets in: policies, agreements, what is held, and what comes of it."""

from dataclasses import replace
from datetime import timedelta

import pytest
import yaml

from gitmaild.model.changeset import Changeset
from gitmaild.model.commands import Found
from gitmaild.model.errors import Refusal
from gitmaild.model.settings import Settings
from gitmaild.rules.held import sent_back, waiting
from gitmaild.rules.parse import parse
from gitmaild.rules.plan import plan
from tests.build import Shop, a_drop

DAY = 24 * 3600


@pytest.fixture
def shop() -> Shop:
    return Shop("GreenCastle", "RedCat", "BlueLake")


def fate(shop: Shop, sender: str = "GreenCastle", to: str = "RedCat", **fields: str) -> str:
    """What the answer says of one recipient: `inbox`, `held`, or the code of the refusal."""
    answer = shop.drop(sender, to=to, subject="lunch?", **fields)
    return answer.code if isinstance(answer, Refusal) else answer.recipients[0].split(" ", 1)[1]


def held(shop: Shop, agent: str = "RedCat") -> list[str]:
    return [one.message_id for one in waiting(shop.mailbox, recipient=agent)]


# --- policies


@pytest.mark.parametrize(
    ("policy", "expected"), [("open", "inbox"), ("auto", "held"), ("contacts_only", "held"), ("block_all", "blocked")]
)
def test_a_stranger_meets_the_policy(shop: Shop, policy: str, expected: str) -> None:
    shop.accepted("RedCat", kind="contact-policy", policy=policy)
    assert fate(shop) == expected
    assert shop.letters("RedCat") == {
        "inbox": ["GreenCastle: lunch?"],
        "held": ["Postmaster: GreenCastle wants to write to you"],
        "blocked": [],
    }[expected]  # fmt: skip


def test_a_door_that_nobody_has_spoken_of_is_open(shop: Shop) -> None:
    assert fate(shop) == "inbox"


@pytest.mark.parametrize("policy", ["auto", "contacts_only", "block_all"])
def test_an_answer_to_ones_own_message_always_passes(shop: Shop, policy: str) -> None:
    shop.accepted("RedCat", kind="contact-policy", policy=policy)
    shop.accepted("RedCat", to="GreenCastle", subject="a question")
    assert fate(shop, in_reply_to=shop.last().id) == "inbox"


def test_an_answer_to_what_one_never_got_is_no_answer(shop: Shop) -> None:
    shop.accepted("RedCat", kind="contact-policy", policy="contacts_only")
    shop.accepted("RedCat", to="BlueLake", subject="for BlueLake")
    assert fate(shop, in_reply_to=shop.last().id) == "held"


@pytest.mark.parametrize("policy", ["auto", "contacts_only", "block_all"])
def test_the_overseer_and_oneself_always_pass(shop: Shop, policy: str) -> None:
    shop.accepted("RedCat", kind="contact-policy", policy=policy)
    assert fate(shop, "Overseer") == "inbox"
    assert fate(shop, "RedCat") == "inbox"


def test_two_who_took_part_in_a_thread_may_write_to_each_other(shop: Shop) -> None:
    shop.accepted("BlueLake", to="RedCat", subject="one", thread_id="br-1")
    shop.accepted("BlueLake", to="GreenCastle", subject="two", thread_id="br-1")
    shop.accepted("RedCat", kind="contact-policy", policy="auto")
    assert fate(shop, thread_id="br-2") == "held"
    assert fate(shop, thread_id="br-1") == "inbox"


def test_to_name_a_thread_is_not_to_take_part_in_it(shop: Shop) -> None:
    shop.accepted("BlueLake", to="RedCat", subject="one", thread_id="br-1")
    shop.accepted("RedCat", kind="contact-policy", policy="auto")
    assert [fate(shop, thread_id="br-1"), fate(shop, thread_id="br-1")] == ["held", "held"]


def test_a_blind_copy_is_no_part_in_a_thread(shop: Shop) -> None:
    shop.accepted("BlueLake", to="RedCat", bcc="GreenCastle", subject="one", thread_id="br-1")
    shop.accepted("RedCat", kind="contact-policy", policy="auto")
    assert fate(shop, thread_id="br-1") == "held"


def test_two_with_overlapping_leases_may_write_to_each_other(shop: Shop) -> None:
    shop.accepted("RedCat", kind="contact-policy", policy="auto")
    shop.reserve("RedCat", "src/**", exclusive="no")
    assert fate(shop) == "held"
    shop.reserve("GreenCastle", "src/api/*.py", exclusive="no")
    assert fate(shop) == "inbox"


def test_who_waits_for_a_lease_may_write_to_its_holder(shop: Shop) -> None:
    shop.accepted("RedCat", kind="contact-policy", policy="auto")
    shop.reserve("RedCat", "src/**")
    shop.reserve("GreenCastle", "src/api.py", wait_seconds="600")
    assert fate(shop) == "inbox"


@pytest.mark.parametrize(("days", "expected"), [(3, "inbox"), (7, "inbox"), (10, "held")])
def test_recent_contact_opens_a_door_for_some_days(shop: Shop, days: int, expected: str) -> None:
    shop.accepted("RedCat", to="GreenCastle", subject="hello")
    shop.accepted("RedCat", kind="contact-policy", policy="auto")
    shop.now += timedelta(days=days)
    assert fate(shop) == expected


def test_a_policy_that_is_none_is_refused_with_what_was_meant(shop: Shop) -> None:
    refusal = shop.refused("RedCat", kind="contact-policy", policy="contacts")
    assert (refusal.code, "did you mean contacts_only?" in refusal.reason) == ("bad-policy", True)


@pytest.mark.parametrize("policy", ["auto", "contacts_only", "block_all"])
def test_without_enforcement_every_door_is_open(policy: str) -> None:
    shop = Shop("GreenCastle", "RedCat", limits=Settings(contact_enforcement=False))
    shop.accepted("RedCat", kind="contact-policy", policy=policy)
    shop.accepted("RedCat", kind="contact-deny", agents="GreenCastle")
    assert fate(shop) == "inbox"


def test_the_home_may_ask_for_less_of_all(shop: Shop) -> None:
    shop.limits = Settings(contact_policy="contacts_only")
    assert fate(shop) == "held"
    shop.accepted("RedCat", kind="contact-policy", policy="open")
    assert fate(shop, "BlueLake") == "inbox"


# --- what was held


def test_what_was_held_is_delivered_once_on_approval(shop: Shop) -> None:
    shop.accepted("RedCat", kind="contact-policy", policy="contacts_only")
    assert [fate(shop), fate(shop)] == ["held", "held"]
    assert len(held(shop)) == 2
    answer = yaml.safe_load(shop.accepted("RedCat", kind="contact-approve", agents="GreenCastle").answer)
    assert (answer["status"], len(answer["delivered"])) == ("approved", 2)
    assert shop.letters("RedCat").count("GreenCastle: lunch?") == 2
    assert held(shop) == []
    shop.accepted("RedCat", kind="contact-approve", agents="GreenCastle")
    assert shop.letters("RedCat").count("GreenCastle: lunch?") == 2
    assert fate(shop) == "inbox"


def test_one_note_asks_for_all_that_one_sender_has_sent(shop: Shop) -> None:
    shop.accepted("RedCat", kind="contact-policy", policy="contacts_only")
    for sender in ("GreenCastle", "GreenCastle", "BlueLake"):
        fate(shop, sender)
    assert shop.letters("RedCat") == [
        "Postmaster: GreenCastle wants to write to you",
        "Postmaster: BlueLake wants to write to you",
    ]


def test_the_note_holds_nothing_that_the_stranger_wrote(shop: Shop) -> None:
    shop.accepted("RedCat", kind="contact-policy", policy="contacts_only")
    shop.accepted("GreenCastle", "SECRET WORDS\n", to="RedCat", subject="A SUBJECT")
    (note,) = shop.messages("RedCat")
    assert "SECRET" not in note.body
    assert "A SUBJECT" not in note.body + note.subject


def test_what_was_held_goes_back_on_denial_with_the_reason(shop: Shop) -> None:
    shop.accepted("RedCat", kind="contact-policy", policy="contacts_only")
    fate(shop)
    message = shop.last()
    shop.accepted("RedCat", kind="contact-deny", agents="GreenCastle", reason="ask BlueLake")
    assert (held(shop), shop.letters("GreenCastle")) == ([], ["Postmaster: not delivered to RedCat: lunch?"])
    assert sent_back(message, shop.mailbox) == ["RedCat: RedCat takes no mail from you: ask BlueLake"]
    assert fate(shop) == "denied"


def test_what_nobody_agrees_to_in_time_goes_back(shop: Shop) -> None:
    shop.accepted("RedCat", kind="contact-policy", policy="contacts_only")
    fate(shop)
    assert shop.later(7 * DAY - 10) == []
    assert shop.later(20) == ["send back: RedCat has not agreed in time"]
    (name,) = shop.names("GreenCastle")
    assert "_Postmaster_not-delivered-to-redcat-lunch_" in name


def test_a_wider_policy_lets_in_what_was_held_and_blocking_sends_it_back(shop: Shop) -> None:
    for agent in ("RedCat", "BlueLake"):
        shop.accepted(agent, kind="contact-policy", policy="contacts_only")
        fate(shop, to=agent)
    shop.accepted("RedCat", kind="contact-policy", policy="open")
    shop.accepted("BlueLake", kind="contact-policy", policy="block_all")
    assert "GreenCastle: lunch?" in shop.letters("RedCat")
    assert shop.letters("GreenCastle") == ["Postmaster: not delivered to BlueLake: lunch?"]
    assert held(shop) == held(shop, "BlueLake") == []


def test_one_sender_cannot_fill_a_door(shop: Shop) -> None:
    shop.limits = Settings(held_per_contact=2)
    shop.accepted("RedCat", kind="contact-policy", policy="contacts_only")
    assert [fate(shop) for _ in range(3)] == ["held", "held", "too-many-held"]
    assert fate(shop, "BlueLake") == "held"


def test_the_others_get_theirs_while_one_door_holds(shop: Shop) -> None:
    shop.accepted("RedCat", kind="contact-policy", policy="contacts_only")
    change = shop.accepted("GreenCastle", to="RedCat, BlueLake", subject="lunch?")
    assert change.recipients == ("RedCat held", "BlueLake inbox")
    assert dict(change.trailers)["Result"] == "partly"
    assert dict(change.trailers)["Held"] == "RedCat"


def test_a_message_that_waits_everywhere_is_held(shop: Shop) -> None:
    shop.accepted("RedCat", kind="contact-policy", policy="contacts_only")
    assert dict(shop.accepted("GreenCastle", to="RedCat").trailers)["Result"] == "held"


def test_a_blind_copy_that_waits_is_named_nowhere(shop: Shop) -> None:
    shop.accepted("RedCat", kind="contact-policy", policy="contacts_only")
    change = shop.accepted("GreenCastle", to="BlueLake", bcc="RedCat", subject="lunch?")
    approved = shop.accepted("RedCat", kind="contact-approve", agents="GreenCastle")
    for text in (change.message(), dict(approved.trailers).get("Message-Id", "")):
        assert "RedCat" not in text
        assert "msg_" not in text or text == change.message()
    assert "GreenCastle: lunch?" in shop.letters("RedCat")


def test_many_senders_together_cannot_fill_a_door_either(shop: Shop) -> None:
    shop.limits = Settings(held_per_contact=1)
    shop.accepted("RedCat", kind="contact-policy", policy="contacts_only")
    names = [f"Agent{word}" for word in ("Ab", "Bc", "Cd", "De", "Ef", "Fg", "Gh", "Hi", "Ij", "Jk")]
    for name in names:
        shop.accepted(name, kind="register")
    assert [fate(shop, name) for name in names] == ["held"] * 10
    assert fate(shop) == "too-many-held"


def test_a_wider_policy_in_a_time_of_quiet_lets_mail_in_when_it_is_over(shop: Shop) -> None:
    shop.accepted("RedCat", kind="contact-policy", policy="contacts_only")
    fate(shop)
    shop.accepted("RedCat", kind="dnd", seconds="1h")
    shop.accepted("RedCat", kind="contact-policy", policy="open")
    assert len(held(shop)) == 1
    assert shop.later(3600) == ["dnd: RedCat: over, 1 delivered"]


# --- asking first


def test_asking_tells_the_one_and_its_answer_the_other(shop: Shop) -> None:
    shop.accepted("RedCat", kind="contact-policy", policy="contacts_only")
    shop.accepted("GreenCastle", kind="contact-request", agent="RedCat", reason="br-123")
    assert shop.letters("RedCat") == ["Postmaster: GreenCastle asks to write to you"]
    shop.accepted("GreenCastle", kind="contact-request", agent="RedCat")
    assert len(shop.letters("RedCat")) == 1
    shop.accepted("RedCat", kind="contact-approve", agent="GreenCastle")
    assert shop.letters("GreenCastle") == ["Postmaster: RedCat takes your mail now"]
    assert fate(shop) == "inbox"


def test_who_asked_takes_mail_from_whom_it_asked(shop: Shop) -> None:
    shop.accepted("GreenCastle", kind="contact-policy", policy="contacts_only")
    shop.accepted("GreenCastle", kind="contact-request", agent="RedCat")
    shop.accepted("RedCat", kind="contact-approve", agent="GreenCastle")
    assert fate(shop, "RedCat", "GreenCastle") == "inbox"


def test_nobody_can_approve_for_somebody_else_by_approving_first(shop: Shop) -> None:
    shop.accepted("RedCat", kind="contact-policy", policy="contacts_only")
    shop.accepted("GreenCastle", kind="contact-approve", agents="RedCat")
    assert fate(shop) == "held"


@pytest.mark.parametrize("kind", ["contact-request", "contact-approve", "contact-deny"])
def test_somebody_who_is_not_here_cannot_be_a_contact(shop: Shop, kind: str) -> None:
    refusal = shop.refused("RedCat", kind=kind, agent="GreenCastel")
    assert (refusal.code, "did you mean GreenCastle?" in refusal.reason) == ("unknown-agent", True)


# --- do not disturb


def test_all_but_urgent_mail_waits_and_comes_after(shop: Shop) -> None:
    shop.accepted("RedCat", kind="dnd", seconds="2h")
    assert [fate(shop), fate(shop, importance="high"), fate(shop, importance="urgent")] == ["held", "held", "inbox"]
    assert shop.letters("RedCat") == ["GreenCastle: lunch?"]
    assert shop.later(2 * 3600) == ["dnd: RedCat: over, 2 delivered"]
    assert shop.letters("RedCat") == ["GreenCastle: lunch?"] * 3


def test_quiet_ends_when_its_agent_says_so(shop: Shop) -> None:
    shop.accepted("RedCat", kind="dnd")
    fate(shop)
    shop.accepted("RedCat", kind="dnd", on="no")
    assert (shop.letters("RedCat"), held(shop)) == (["GreenCastle: lunch?"], [])
    assert fate(shop) == "inbox"


def test_quiet_is_no_way_to_be_out_of_reach_for_ever(shop: Shop) -> None:
    assert shop.refused("RedCat", kind="dnd", seconds="8d").code == "bad-time-span"


# --- between projects


@pytest.fixture
def web(shop: Shop) -> Shop:
    """The shop, beside it the project *shop-web* with a RedCat and a SwiftFalcon of its own."""
    shop.ask(Found(replace(shop.envelope("Overseer"), project="shop-web")))
    for name in ("RedCat", "SwiftFalcon"):
        there(shop, name, kind="register")
    return shop


def there(shop: Shop, agent: str, body: str = "At noon.\n", /, **fields: str) -> object:
    """A drop in the other project."""
    command = parse(a_drop(body, **fields), replace(shop.envelope(agent), project="shop-web"), shop.limits)
    assert not isinstance(command, Refusal), command
    answer = plan(command, shop.mailbox.of("shop-web"), shop.now, shop.limits)
    shop.now += timedelta(seconds=1)
    assert isinstance(answer, Changeset), answer
    shop.tree.apply(answer)
    return answer


def letters(shop: Shop, agent: str) -> list[str]:
    mailbox = shop.mailbox.of("shop-web")
    found = [mailbox.message(f"msg_20260101_{name[:-3].rpartition('_')[2]}") for name, _ in mailbox.files(agent, "inbox")]
    return [f"{message.sender}: {message.subject}" for message in found if message]


def test_mail_to_another_project_waits_until_it_is_agreed_to(web: Shop) -> None:
    change = web.accepted("GreenCastle", to="SwiftFalcon@shop-web", subject="lunch?", thread_id="br-1")
    assert change.recipients == ("SwiftFalcon@shop-web held",)
    message = web.last()
    assert web.mailbox.of("shop-web").message(message.id) is None
    there(web, "SwiftFalcon", kind="contact-approve", agents="GreenCastle@shop")
    assert letters(web, "SwiftFalcon")[-1] == "GreenCastle@shop: lunch?"
    seen = web.mailbox.of("shop-web").message(message.id)
    assert seen is not None
    assert (seen.thread_id, seen.to, seen.body, seen.created) == ("br-1", ("SwiftFalcon",), message.body, message.created)


def test_an_answer_goes_back_to_the_other_project_and_keeps_the_thread(web: Shop) -> None:
    web.accepted("GreenCastle", to="SwiftFalcon@shop-web", cc="BlueLake", subject="lunch?", thread_id="br-1")
    sent = web.last()
    there(web, "SwiftFalcon", kind="contact-approve", agents="GreenCastle@shop")
    there(web, "SwiftFalcon", in_reply_to=sent.id)
    (answer,) = web.messages("GreenCastle")
    assert (answer.sender, answer.subject, answer.thread_id) == ("SwiftFalcon@shop-web", "RE: lunch?", "br-1")
    assert web.letters("BlueLake") == ["GreenCastle: lunch?"]
    assert fate(web, to="SwiftFalcon@shop-web") == "inbox"


def test_one_name_in_two_projects_is_two_agents(web: Shop) -> None:
    there(web, "RedCat", kind="contact-approve", agents="RedCat@shop")
    assert fate(web, "RedCat", "RedCat@shop-web") == "inbox"
    assert (letters(web, "RedCat"), web.letters("RedCat")) == (["RedCat@shop: lunch?"], [])


def test_denial_sends_mail_back_to_the_other_project(web: Shop) -> None:
    assert fate(web, to="SwiftFalcon@shop-web") == "held"
    there(web, "SwiftFalcon", kind="contact-deny", agents="GreenCastle@shop")
    assert web.letters("GreenCastle") == ["Postmaster: not delivered to SwiftFalcon@shop-web: lunch?"]
    assert fate(web, to="SwiftFalcon@shop-web") == "denied"


def test_a_home_may_open_its_projects_to_each_other(web: Shop) -> None:
    web.limits = Settings(cross_project_policy="open")
    assert fate(web, to="SwiftFalcon@shop-web") == "inbox"


def test_a_list_of_another_project_takes_no_mail(web: Shop) -> None:
    assert fate(web, to="everyone@shop-web") == "other-project"


def test_the_holder_of_a_role_is_reached_across_projects(web: Shop) -> None:
    there(web, "Overseer", kind="role-bind", role="Mayor", agent="SwiftFalcon")
    there(web, "SwiftFalcon", kind="contact-approve", agents="GreenCastle@shop")
    assert fate(web, to="Mayor@shop-web") == "inbox"
    seen = web.mailbox.of("shop-web").message(web.last().id)
    assert seen is not None
    assert (seen.to, seen.roles) == (("Mayor",), ("Mayor=SwiftFalcon",))
