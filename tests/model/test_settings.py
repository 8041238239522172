"""The limits that the protocol promises."""

from gitmaild.model.settings import Settings


def test_a_sender_has_the_limits_of_the_protocol_page() -> None:
    limits = Settings()
    assert (
        limits.front_matter_limit,
        limits.message_limit,
        limits.recipient_limit,
        limits.attachment_limit,
        limits.attachments_limit,
        limits.subject_limit,
    ) == (8 * 1024, 256 * 1024, 100, 10 * 1024 * 1024, 25 * 1024 * 1024, 200)


def test_a_thread_page_shows_two_hundred_messages_or_a_mebibyte() -> None:
    assert (Settings().thread_messages, Settings().thread_bytes) == (200, 1024 * 1024)
