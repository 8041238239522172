"""Who can be written to: agent names, project slugs, addresses.

An agent's name is two or more capitalised words (`GreenCastle`), at most 40 letters, unique without regard to case.
Names are never altered: a name that breaks the rule is refused, and the refusal offers free ones.
"""

import re
from collections.abc import Container
from dataclasses import dataclass

from gitmaild.model.errors import Refused, refuse

OVERSEER = "Overseer"
POSTMASTER = "Postmaster"
EVERYONE = "everyone"
RESERVED = (OVERSEER, POSTMASTER)

RULE = "an agent's name is two or more capitalised words, letters only, at most 40: GreenCastle, RedCat"

_NAME = re.compile(r"(?:[A-Z][a-z]+){2,}")
_ROLE = re.compile(r"[A-Z][a-z]{1,39}")
_LIST = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
# What may be written to: as wide as it can be, so that a slip of the pen gets a "did you mean".
_ADDRESSED = re.compile(r"[A-Za-z]{2,40}|[a-z][a-z0-9-]{1,39}")
_SLUG = re.compile(r"[a-z0-9-]{1,63}")
_PROGRAMS = frozenset(
    "aider amp claude claudecode cline codex codexcli copilot cursor gemini geminicli goose opencode windsurf".split()
)
_MODELS = re.compile(r"(?:opus|sonnet|haiku|gpt|gemini|llama|grok|qwen|deepseek|mistral|o)[-_.]?\d.*", re.IGNORECASE)

ADJECTIVES = (
    "Amber Ashen Azure Birch Blue Bold Brave Brass Bright Brisk Bronze Calm Cedar Clear Cobalt Copper Coral Crimson "
    "Dusky Eager Early Ember Fern Flint Frost Gentle Gilded Golden Granite Green Grey Hazel Indigo Iron Ivory Jade "
    "Keen Late Lilac Linen Little Lunar Maple Marble Mellow Misty Mossy Noble Northern Oaken Ochre Olive Opal Pale "
    "Pearl Plain Proud Purple Quick Quiet Rapid Red Russet Rusty Sable Saffron Sandy Scarlet Silent Silver Slate "
    "Solar Steady Stone Sunny Swift Teal Tidal Upper Velvet Violet Warm White Wild Windy Winter Wooden Yellow"
).split()
NOUNS = (
    "Acorn Anchor Anvil Arbor Badger Barn Basin Bay Beacon Bear Bell Bison Bridge Brook Canyon Castle Cat Cliff "
    "Cloud Comet Coral Cove Crane Creek Crow Deer Delta Dove Eagle Elk Falcon Field Finch Forest Forge Fox Garden "
    "Gate Glacier Glade Grove Gull Harbor Hare Hawk Heron Hill Horse Island Jay Kite Lake Lantern Lark Ledge Lion "
    "Lynx Marsh Meadow Mesa Mill Moon Moose Mountain Oak Orchard Otter Owl Path Peak Pine Pond Prairie Rabbit Raven "
    "Reef Ridge River Robin Rock Seal Shore Sparrow Spring Squirrel Star Stag Stream Summit Swan Tiger Tower Trail "
    "Valley Wave Willow Wolf Wren"
).split()


@dataclass(frozen=True, slots=True)
class Address:
    """Somebody who can be written to: an agent, a role or a group, in this project unless another is named."""

    name: str
    project: str = ""

    def __str__(self) -> str:
        return f"{self.name}@{self.project}" if self.project else self.name


def is_agent_name(text: str) -> bool:
    """True where `text` keeps the naming rule. Reserved names do not: they are one word."""
    return len(text) <= 40 and _NAME.fullmatch(text) is not None


def is_desk_name(text: str) -> bool:
    """True for a name that may own a desk: an agent's, or the Overseer's."""
    return text == OVERSEER or is_agent_name(text)


def is_role_name(text: str) -> bool:
    """True for what may be a role: one capitalised word, `Orchestrator`."""
    return _ROLE.fullmatch(text) is not None and text not in (*RESERVED, EVERYONE.capitalize())


def is_list_name(text: str) -> bool:
    """True for what may be a group, a queue or a board: lower case words with dashes, `review-team`."""
    return 2 <= len(text) <= 40 and _LIST.fullmatch(text) is not None and text != EVERYONE


def is_slug(text: str) -> bool:
    return _SLUG.fullmatch(text) is not None


def slug(text: str) -> str:
    """`text` as a project slug: lower case, digits and single dashes; `project` where nothing is left."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:63].strip("-") or "project"


def bad_slug(text: str) -> Refused:
    return refuse(
        "bad-slug", f"{text[:80]!r} is not a project slug", "use lower case letters, digits and dashes, at most 63: shop-web"
    )


def parse_address(text: str, *, field: str = "to", line: int = 0) -> Address:
    """Read `RedCat`, `everyone`, `@polecats` (the same as `polecats`) or `RedCat@shop-web`.

    Raises `Refused` for anything else, naming the field; whether the name exists is decided later, by routing.
    """
    name, at, project = text.strip().removeprefix("@").partition("@")
    known = name in RESERVED or name == EVERYONE or _ADDRESSED.fullmatch(name)
    if not known or (at and not is_slug(project)):
        raise refuse(
            "bad-address",
            f"{field}: bad agent name {text.strip()[:80]!r}",
            "use two or more capitalised words, e.g. GreenCastle",
            field=field,
            line=line,
        )
    return Address(name, project)


def check_name(name: str, *, taken: Container[str] = (), mode: str = "camelcase") -> None:
    """Refuse a name that an agent may not have.

    `taken` holds the names in use, in lower case. The mode `wordlist` admits adjective + noun of this module's lists only.
    Raises `Refused` with the rule that was broken and three free names.
    """
    why = _broken_rule(name, mode)
    if why:
        raise refuse("bad-name", f"{name!r} cannot be an agent's name: {why}", _way_out(name, taken), field="name")
    if name.lower() in taken:
        raise refuse("name-taken", f"the name {name!r} is taken", _way_out(name, taken), field="name")


def suggestions(seed: str, taken: Container[str], count: int = 3) -> list[str]:
    """Free adjective + noun names: the same for the same seed, so that a refusal can be repeated word for word."""
    from hashlib import sha256  # noqa: PLC0415 - 3 ms of OpenSSL, and most commands suggest nothing

    found: list[str] = []
    number = int.from_bytes(sha256(seed.encode()).digest()[:8])
    for step in range(len(ADJECTIVES) * len(NOUNS)):
        # A stride that is prime to both list lengths visits every pair once.
        index = (number + step * 7919) % (len(ADJECTIVES) * len(NOUNS))
        adjective, noun = ADJECTIVES[index % len(ADJECTIVES)], NOUNS[index // len(ADJECTIVES)]
        name = adjective + noun
        if adjective != noun and name.lower() not in taken:
            found.append(name)
            if len(found) == count:
                break
    return found


def _broken_rule(name: str, mode: str) -> str:
    if name.lower() in _PROGRAMS:
        return f"it is a program's name; {RULE}"
    if _MODELS.fullmatch(name):
        return f"it is a model's name; {RULE}"
    if name.capitalize() in RESERVED or name.lower() == EVERYONE:
        return f"it is reserved; {RULE}"
    if re.fullmatch(r"[a-z_][a-z0-9_-]*", name):
        return f"it looks like a Unix user's name; {RULE}"
    if any(c.isdigit() for c in name):
        return f"it holds digits; {RULE}"
    if not is_agent_name(name):
        return RULE
    if mode == "wordlist" and not any(name == a + n for a in ADJECTIVES for n in NOUNS):
        return "this home admits adjective + noun names from its word list only (setting names: wordlist)"
    return ""


def _way_out(name: str, taken: Container[str]) -> str:
    return "free names: " + ", ".join(suggestions(name, taken))
