"""What a desk root shows besides the messages themselves: answers, conversations, who is here.

Every page is a function of the tree, so a page that was kept up equals one that was made from nothing.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from gitmaild.model.directory import QUEUE
from gitmaild.model.ids import stamp
from gitmaild.model.message import Message
from gitmaild.model.settings import Settings
from gitmaild.rules import frontmatter, render
from gitmaild.rules.directory import Directory
from gitmaild.rules.mailbox import Profile
from gitmaild.rules.parse import ignored

# A line that could be taken for the head of a section is moved by one space where a body holds it.
_SECTION = re.compile(r"(?:^|(?<=[\r\v\f\x1c-\x1e\x85\u2028\u2029]))(?=-{8} msg_)", re.MULTILINE)
# What `sent` adds. A sender's own fields of these names are in the copies, and are listed as ignored here.
_ADDED = ("status", "recipients", "ignored")


def bounced(note: Message) -> tuple[str, ...]:
    """Who did not get the message that `note` is about, and why."""
    return next((value for key, value in note.extra if key == "bounced" and isinstance(value, tuple)), ())


def sent(message: Message, states: Iterable[tuple[str, str]], bounces: Iterable[str]) -> bytes:
    """A sender's own file, come back: the message as delivered, and the state of each copy as it is now.

    `states` are (recipient, state) in any order: shown are the named ones as they were named, then the others by name.
    """
    states = list(states)
    named = {name: index for index, name in enumerate((*message.to, *message.cc))}
    waits = any(state == "held" for _, state in states)
    ordered = sorted(states, key=lambda state: (named.get(state[0], len(named)), state[0]))
    recipients = [f"{agent} {folder}" for agent, folder in ordered]
    failed = [text.replace(": ", " bounced: ", 1) for text in bounces]
    unknown = ignored("message", message.extra)
    everybody_waits = waits and not failed and all(state == "held" for _, state in states)
    status = "held" if everybody_waits else "partly" if failed or waits else "delivered"
    lines = (
        render.header(replace(message, extra=tuple(f for f in message.extra if f[0] not in _ADDED)))
        + frontmatter.write([("status", status)])
        + frontmatter.write_lines("recipients", [*recipients, *failed])
        + (frontmatter.write_lines("ignored", unknown) if unknown else "")
    )
    return frontmatter.fence(lines, message.body).encode()


def answer(lines: str) -> bytes:
    """The answer to any other command."""
    return frontmatter.fence(lines.rstrip("\n") + "\n", "").encode()


def _listed(name: str, who: str, about: str) -> str:
    return " ".join(f"- {name}{f': {who}' if who else ''}{f'; {about}' if about else ''}".split())


def section(message: Message) -> str:
    """One message of a thread page."""
    to = ", ".join(message.to) or "(blind)"
    flags = [word for word in (message.importance,) if word != "normal"] + (["ack required"] if message.ack_required else [])
    head = f"-------- {message.id} · {stamp(message.created)} · {message.sender} -> {to}"
    head += f" · {', '.join(flags)}" if flags else ""
    about = [f"subject: {message.subject}"]
    if message.cc:
        about.append(f"cc: {', '.join(message.cc)}")
    if message.in_reply_to:
        about.append(f"in_reply_to: {message.in_reply_to}")
    if message.attachments:
        about.append("attachments: " + ", ".join(f"files/{name}" for name in message.attachments))
    body = _SECTION.sub(" ", message.body.replace("\r\n", "\n").strip("\n"))
    return "\n".join([head, *about, "", body, ""])


def thread(thread_id: str, sections: Sequence[str], total: int, settings: Settings) -> bytes:
    """A conversation, newest last. `sections` are the newest of `total`; as many as the limits let are shown."""
    shown: list[str] = []
    size = 0
    for text in reversed(sections[-settings.thread_messages :]):
        size += len(text.encode())
        if shown and size > settings.thread_bytes:
            break
        shown.append(text)
    head = f"thread {thread_id}: {total} message{'' if total == 1 else 's'}, newest last"
    if total > len(shown):
        head += f"; the newest {len(shown)} are here, read the rest with: gitmaild thread {thread_id}"
    return "\n".join([head, "", *reversed(shown)]).encode()


def parse_thread(page: bytes) -> tuple[str, list[str]]:
    """The inverse of `thread`: (thread id, sections shown), for a page that it made."""
    head, *sections = re.split(r"^(?=-{8} msg_)", page.decode(), flags=re.MULTILINE)
    # Sections are joined by a line feed, which only the last one lacks.
    return head.split(":", 1)[0].removeprefix("thread "), [*(text[:-1] for text in sections[:-1]), *sections[-1:]]


def id_of(section: str) -> str:
    """The message id that a section is headed with."""
    return section.split(" ", 2)[1]


def agents(profiles: Iterable[Profile], directory: Directory) -> bytes:
    """`agents.md`: who is here, on what, since when; and what else can be written to."""
    lines = ["# Who is here", ""]
    for profile in sorted(profiles, key=lambda p: p.name):
        with_ = " ".join(word for word in (profile.program, profile.model) if word)
        line = f"- **{profile.name}**" + (f" ({with_})" if with_ else "")
        line += f": {profile.task_description}" if profile.task_description else ""
        line += f"; since {profile.registered[:16].replace('T', ' ')} UTC" if profile.registered else ""
        if profile.state == "retired":
            line += "; retired" + (f": {profile.reason}" if profile.reason else "")
        lines.append(" ".join(line.split()))
    lines += [_listed(f"**{r.name}**", r.holder or "nobody", r.about) for r in directory.roles.values()]
    for mailing in directory.lists.values():
        who = ", ".join(mailing.members) or ("anybody" if mailing.kind == QUEUE else "")
        lines.append(_listed(f"**{mailing.name}** ({mailing.kind})", who, mailing.about))
    lines += ["", "Write to one of them, or to `everyone`. `Overseer` is the person in charge.", ""]
    return "\n".join(lines).encode()
