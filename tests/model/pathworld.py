"""What the tests of patterns stand on: patterns at random, every path of a small world, and a matcher that is slow and plain."""

import itertools

from hypothesis import strategies as st

from gitmaild.model.pattern import BadPattern, Pattern

NAMES = [name for size in (1, 2) for name in map("".join, itertools.product("ab.", repeat=size)) if name not in (".", "..")]
PATHS = ["/".join(names) for size in (1, 2, 3) for names in itertools.product(NAMES, repeat=size)]
FEW = [path for path in PATHS if path.count("/") < 2] + PATHS[200::7]

_pieces = ["a", "b", ".", "*", "?", "[ab]", "[!a]", "[.]", "[^.b]", "[.-b]", "\\*", "ab"]
_braces = ["{a,b}", "{a,}", "{b,*.}", "{a/b,.a}", "{a,{b,.b}}", "{**,a}", "{a/,?}", "[{,]"]


def _joined(segments: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(
        lambda found, end: "/".join(found) + end,
        st.lists(segments, min_size=1, max_size=4),
        st.sampled_from(["", "", "", "/"]),
    )


def _segments(pieces: list[str]) -> st.SearchStrategy[str]:
    return st.one_of(st.lists(st.sampled_from(pieces), min_size=1, max_size=3).map("".join), st.just("**"))


texts = _joined(_segments(_pieces + _braces))
# Without braces, where gitignore has literal ones.
git_texts = _joined(_segments(_pieces))


def parsed(text: str) -> Pattern | None:
    try:
        return Pattern.parse(text, broad=True)
    except BadPattern:
        return None


patterns = texts.map(parsed).filter(lambda found: found is not None)


# --- the slow matcher, over the text as it was written


def means(text: str, path: str) -> bool:
    return any(_means(alternative, path) for alternative in _alternatives(text))


def _alternatives(text: str) -> list[str]:
    """The text with its first pair of braces written out, and so on. Knows `{` in a class only as `[{,]`."""
    depth, cuts = 0, list[int]()
    for at, char in enumerate(text):
        if text[at - 1 : at + 3] == "[{,]" or text[at - 2 : at + 2] == "[{,]":
            continue
        if char == "{":
            depth += 1
        if (char == "{" and depth == 1) or (char == "," and depth == 1) or (char == "}" and depth == 1):
            cuts.append(at)
        if char == "}":
            depth -= 1
            if depth == 0:
                middles = [text[low + 1 : high] for low, high in itertools.pairwise(cuts)]
                return [found for middle in middles for found in _alternatives(text[: cuts[0]] + middle + text[at + 1 :])]
    return [text]


def _means(text: str, path: str) -> bool:
    if text.endswith("/"):
        text += "**"
    if not any(char in text.replace("\\*", "") for char in "*?["):
        plain = text.replace("\\*", "*")
        return path == plain or path.startswith(f"{plain}/")
    if "/" not in text and text != "**":
        text = f"**/{text}"
    if text == "**" or text.endswith("/**"):
        text = f"{text}/*"  # something below
    return _fits(text.split("/"), path.split("/"))


def _fits(segments: list[str], names: list[str]) -> bool:
    if not segments:
        return not names
    if segments[0] == "**":
        return any(_fits(segments[1:], names[skip:]) for skip in range(len(names) + 1))
    return bool(names) and _is(segments[0], names[0]) and _fits(segments[1:], names[1:])


def _is(segment: str, name: str) -> bool:
    if not segment:
        return not name
    if segment[0] == "*":
        return any(_is(segment[1:], name[skip:]) for skip in range(len(name) + 1))
    if not name:
        return False
    if segment[0] == "\\":
        return segment[1] == name[0] and _is(segment[2:], name[1:])
    if segment[0] == "[":
        inner, rest = segment[1:].split("]", 1)
        chars = set(inner.lstrip("!^"))
        if ".-b" in inner:
            chars = set(map(chr, range(ord("."), ord("b") + 1)))
        return (name[0] in chars) != (inner[0] in "!^") and _is(rest, name[1:])
    return segment[0] in ("?", name[0]) and _is(segment[1:], name[1:])
