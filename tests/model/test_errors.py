"""A refusal is a value, a failure an exception."""

from gitmaild.model.errors import MailError, Refusal, Verdict, refuse


def test_what_is_raised_inside_the_rules_carries_the_refusal() -> None:
    refused = refuse("no-recipient", "no recipient", 'add "to:"', field="to", line=2)
    assert refused.refusal == Refusal("no-recipient", "no recipient", 'add "to:"', "to", 2)


def test_a_failure_is_permanent_unless_it_says_otherwise() -> None:
    assert (MailError.code, MailError.verdict) == ("error", Verdict.PERMANENT)
