"""A message as another project of the same home sees it: the same id, thread and words, and addresses read from there."""

from dataclasses import replace

from gitmaild.model.message import Message


def project_of(address: str) -> str:
    """The project that an address names, '' for its own."""
    return address.partition("@")[2]


def address(text: str, home: str, project: str) -> str:
    """An address written in the project `home`, as it is written in `project`."""
    name, _, where = text.partition("@")
    where = where or home
    return name if where == project else f"{name}@{where}"


def seen_from(message: Message, home: str, project: str) -> Message:
    """A message of the project `home` as `project` sees it."""
    if home == project:
        return message

    def there(text: str) -> str:
        return address(text, home, project)

    return replace(
        message,
        sender=there(message.sender),
        to=tuple(map(there, message.to)),
        cc=tuple(map(there, message.cc)),
        roles=tuple("=".join(map(there, pair.split("="))) for pair in message.roles),
    )
