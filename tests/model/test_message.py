"""A message is a value."""

from dataclasses import FrozenInstanceError

import pytest

from gitmaild.model.message import IMPORTANCE, Message
from tests.build import NOW, a_message


def test_a_message_is_normal_and_asks_for_no_acknowledgement_unless_it_says_so() -> None:
    message = Message("msg_20260101_00000001", "br-1", "GreenCastle", ("RedCat",), NOW)
    assert (message.importance, message.ack_required, message.subject, message.cc) == ("normal", False, "", ())


def test_importance_grows_from_low_to_urgent() -> None:
    assert IMPORTANCE == ("low", "normal", "high", "urgent")


def test_an_accepted_message_never_changes() -> None:
    with pytest.raises(FrozenInstanceError):
        a_message().subject = "dinner?"  # type: ignore[misc]
