"""Roles, groups, queues and boards, as a tree has them: who they stand for. Nothing here is decided, only looked up."""

from collections.abc import Iterator

from gitmaild.model import layout
from gitmaild.model.directory import BOARD, GENERAL, KINDS, MailingList, Role
from gitmaild.model.errors import Refused
from gitmaild.model.message import Value
from gitmaild.model.names import EVERYONE, OVERSEER, is_desk_name, is_list_name, is_role_name
from gitmaild.rules import frontmatter
from gitmaild.rules.frontmatter import Fields, Written
from gitmaild.rules.tree import Tree

# Numbers of a file that somebody else wrote are believed within what can be reckoned with.
_LARGEST = 10**9


class Directory:
    """One project's directory in one state of the tree. A file that cannot be read as what it should be says nothing."""

    def __init__(self, tree: Tree, project: str) -> None:
        self.roles = {role.name: role for role in parse_roles(tree.read(layout.roles(project)) or b"")}
        top = layout.lists(project)
        names = [name.removesuffix(".yaml") for name in tree.names(top) if name.endswith(".yaml")]
        found = [parse_list(name, tree.read(f"{top}/{name}.yaml") or b"") for name in names]
        self.lists = {mailing.name: mailing for mailing in found if mailing}

    def names(self) -> list[str]:
        """Everything here that can be written to."""
        return [*self.roles, *self.lists, GENERAL]

    def find(self, name: str) -> MailingList | None:
        if name == GENERAL and name not in self.lists:
            return MailingList(GENERAL, BOARD, about="for all")
        return self.lists.get(name)

    def holders(self, name: str, everyone: list[str]) -> list[str]:
        """The agents that an address stands for: itself, the holder of a role, the members of a group, each once.

        `everyone` are those whom that address stands for. Groups may be nested; a ring, which only somebody else's commit
        can hold, ends where it closes.
        """
        return list(dict.fromkeys(self._holders(name, everyone, set())))

    def _holders(self, name: str, everyone: list[str], seen: set[str]) -> Iterator[str]:
        if name == EVERYONE:
            yield from everyone
        elif name in self.roles:
            yield from filter(None, [self.roles[name].holder])
        elif name in self.lists:
            if name not in seen:
                seen.add(name)
                for member in self.lists[name].members:
                    yield from self._holders(member, everyone, seen)
        else:
            yield name

    def leads_to(self, name: str, wanted: str) -> bool:
        """True where the group `name` holds `wanted`, at whatever depth."""
        left, seen = [name], set[str]()
        while left:
            here = left.pop()
            if here == wanted:
                return True
            if here not in seen and here in self.lists:
                seen.add(here)
                left += self.lists[here].members
        return False

    def lease_seconds(self, agent: str) -> int:
        """How long `agent` reserves for by default: by its role, else by a group that it is in; 0 where neither says so."""
        by_role = [role.lease_seconds for role in self.roles.values() if role.holder == agent and role.lease_seconds]
        by_group = [m.lease_seconds for m in self.lists.values() if m.lease_seconds and agent in self.holders(m.name, [])]
        return next(iter([*by_role, *by_group]), 0)


def render_roles(roles: dict[str, Role]) -> bytes:
    rows: list[dict[str, Value | int]] = [
        {
            "role": role.name,
            "holder": role.holder,
            "since": role.since,
            "about": role.about,
            "lease_seconds": role.lease_seconds,
        }
        for role in roles.values()
    ]
    return frontmatter.write_rows("roles", rows).encode()


def parse_roles(data: bytes) -> list[Role]:
    """The inverse of `render_roles`; what it would not write is left out."""
    try:
        fields, _ = frontmatter.read(data, limit=1 << 20, fenced=False)
        rows = frontmatter.read_rows(frontmatter.as_list(fields["roles"]))
    except (Refused, KeyError, ValueError, TypeError):
        return []
    texts = [{key: str(row.get(key, "")) for key in ("role", "holder", "since", "about", "lease_seconds")} for row in rows]
    found = [Role(t["role"], t["holder"], t["since"], t["about"], _seconds(t["lease_seconds"])) for t in texts]
    return [role for role in found if is_role_name(role.name) and (not role.holder or is_desk_name(role.holder))]


def render_list(mailing: MailingList) -> bytes:
    fields: list[tuple[str, Written]] = [("name", mailing.name), ("kind", mailing.kind)]
    fields += [("about", mailing.about)] if mailing.about else []
    numbers = {key: getattr(mailing, key) for key in ("keep", "claim_seconds", "lease_seconds")}
    fields += [(key, number) for key, number in numbers.items() if number]
    return (frontmatter.write(fields) + frontmatter.write_lines("members", mailing.members)).encode()


def parse_list(name: str, data: bytes) -> MailingList | None:
    """The inverse of `render_list`, for the file called `<name>.yaml`; None for bytes that gitmaild would not write."""
    try:
        fields, _ = frontmatter.read(data, limit=1 << 20, fenced=False)
        kind = fields["kind"].value
    except (Refused, KeyError):
        return None
    if kind not in KINDS or not is_list_name(name) or _one(fields, "name") != name:
        return None
    members = frontmatter.as_list(fields["members"]) if "members" in fields else ()
    known = tuple(m for m in members if is_desk_name(m) or is_role_name(m) or is_list_name(m) or m in (EVERYONE, OVERSEER))
    numbers = [_seconds(_one(fields, key)) for key in ("keep", "claim_seconds", "lease_seconds")]
    return MailingList(name, kind, known, _one(fields, "about"), *numbers)


def _one(fields: Fields, key: str) -> str:
    return fields[key].value if key in fields else ""


def _seconds(text: str) -> int:
    number = int(text) if text.isdecimal() and len(text) < 12 else 0
    return min(number, _LARGEST)
