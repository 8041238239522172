"""What a lease pattern means."""

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from gitmaild.model.pattern import BadPattern, Pattern
from tests.model import pathworld


@pytest.mark.parametrize(
    ("text", "meant", "not_meant"),
    [
        ("src/api", "src/api src/api/a.py src/api/v1/b.py", "src src/apis src/api.py x/src/api"),
        ("README.md", "README.md", "docs/README.md README.mdx"),
        ("./README.md", "README.md", "docs/README.md"),
        ("src/api/", "src/api/a.py src/api/v1/b.py", "src/api"),
        ("src/api/**", "src/api/a.py src/api/v1/b.py", "src/api"),
        ("src/*.py", "src/a.py src/.py", "src/v1/b.py src/a.py/x a.py"),
        ("src/**/test_*.py", "src/test_a.py src/x/y/test_a.py", "test_a.py src/atest_a.py"),
        ("*.py", "a.py x/y/a.py .py", "a.pyc a.py/x"),
        ("**/*.py", "a.py x/y/a.py", "a.pyc"),
        ("src/**/", "src/a src/x/a", "src"),
        ("***/a", "x/a", "a x/y/a"),
        ("a**b/c", "ab/c axxb/c", "a/b/c"),
        ("src/?.py", "src/a.py src/é.py src/..py", "src/ab.py src/.py"),
        ("src/[a-c].py", "src/b.py", "src/d.py src/-.py src/B.py"),
        ("src/[!a-c].py", "src/d.py", "src/b.py"),
        ("src/[^a-c].py", "src/d.py", "src/b.py"),
        ("src/a[+-9]b", "src/a1b src/a.b", "src/a/b"),
        ("src/[]a].c", "src/].c src/a.c", "src/b.c"),
        ("src/[!]a].c", "src/b.c", "src/].c src/a.c"),
        ("src/[a\\]].c", "src/].c src/a.c", "src/\\.c"),
        ("src/[a-].c", "src/-.c src/a.c", "src/b.c"),
        ("src/[{,}].c", "src/{.c src/,.c", "src/.c"),
        ("{src,lib}/*.py", "src/a.py lib/a.py", "a.py app/a.py"),
        ("{src,lib}", "src lib/a/b.py", "x/src"),
        ("{src/,*.md}", "src/a x/y.md", "src"),
        ("src/{a,b{c,d}}.py", "src/a.py src/bc.py src/bd.py", "src/b.py src/cd.py"),
        ("a{,.b}/*.c", "a/x.c a.b/x.c", "a.c"),
        ("app/\\[slug\\]/page.tsx", "app/[slug]/page.tsx", "app/s/page.tsx"),
        ("app/[slug]/page.tsx", "app/s/page.tsx", "app/[slug]/page.tsx"),
        (":(literal)app/[slug]/page.tsx", "app/[slug]/page.tsx", "app/s/page.tsx"),
        (":(literal)*", "* */a", "a"),
        ("a\\{b", "a{b a{b/c", "x/a{b"),
        ("a,b", "a,b", "a b"),
        (".*", ".env src/.env", "env"),
    ],
)  # fmt: skip
def test_a_pattern_means_these_and_not_those(text: str, meant: str, not_meant: str) -> None:
    pattern = Pattern.parse(text)
    for path in meant.split(" "):
        assert pattern.matches(path) and pattern.matches(path, fold=True), path
    for path in not_meant.split(" "):
        assert not pattern.matches(path), path


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("./src", "src"),
        ("src/", "src/**"),
        ("*.py", "**/*.py"),
        ("*.{py,ts}", "**/*.{py,ts}"),
        ("{a,b}", "{a,b}"),
        ("{a}/b", "a/b"),
        ("src/[a]", "src/[a]"),
        ("a\\*b", ":(literal)a*b"),
        ("\\!a", ":(literal)!a"),
        (":(literal)src/a", "src/a"),
        (":(literal)src/a/", "src/a"),
        (":(literal)a ", ":(literal)a "),
        ("1:x", ":(literal)1:x"),
        (":(literal):(literal)a", ":(literal):(literal)a"),
        ("cafe\u0301", "caf\u00e9"),
        ("{e}\u0301", "\u00e9"),
        ("{a,b}{a,b}{a,b}{a,b}{a,b}*xxxxxxxxxxxxxxxxxxxxxxxxx", "**/{a,b}{a,b}{a,b}{a,b}{a,b}*xxxxxxxxxxxxxxxxxxxxxxxxx"),
        ("{a,b}{a,b}{a,b}{a,b}{a,b}xxxxxxxxxxxxxxxxxxxxxxxxxx/", "{a,b}{a,b}{a,b}{a,b}{a,b}xxxxxxxxxxxxxxxxxxxxxxxxxx/**"),
    ],
)
def test_a_pattern_is_said_back_in_one_form(text: str, canonical: str) -> None:
    pattern = Pattern.parse(text)
    assert (pattern.text, pattern.raw) == (canonical, text)
    assert pattern == Pattern.parse(canonical) and hash(pattern) == hash(Pattern.parse(canonical))


def test_a_path_that_is_asked_for_as_it_stands_is_taken_so() -> None:
    assert Pattern.parse("a/[b]/*", literal=True) == Pattern.parse(":(literal)a/[b]/*")
    assert Pattern.parse("a/b", literal=True) == Pattern.parse("a/b")


@pytest.mark.parametrize("text", ["*", "**", "**/", "*/", "?*", "**/*", "*/**", "*/*/*", "????", "{*,a}", "{src,**}/*"])
def test_what_means_everything_must_be_asked_for_as_such(text: str) -> None:
    with pytest.raises(BadPattern) as caught:
        Pattern.parse(text)
    assert caught.value.code == "too-broad"
    assert Pattern.parse(text, broad=True).matches("four/four/four")


def test_everything_means_everything() -> None:
    assert all(Pattern.parse("**", broad=True).matches(path) for path in pathworld.PATHS)


# --- case


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("SRC/a.py", "src/A.PY"),
        ("src/*.py", "SRC/A.PY"),
        ("src/[a-z].py", "src/Q.py"),
        ("src/[A-Z].py", "src/q.py"),
        ("src/?.py", "src/ß.py"),
        ("src/[ß].py", "src/ß.py"),
        ("src/[ς].py", "src/ς.py"),
        ("ΣΑΣ", "σας"),
        ("src/[İ]", "src/İ"),
        ("straße*", "Straße"),
    ],
)
def test_without_regard_to_case_these_are_one(text: str, path: str) -> None:
    assert Pattern.parse(text).matches(path, fold=True)


def test_without_regard_to_case_the_negation_of_a_letter_is_that_of_both() -> None:
    assert not Pattern.parse("src/[!a]").matches("src/A", fold=True)
    assert Pattern.parse("src/[!a]").matches("src/A")
    assert not Pattern.parse("src/[A-Z]").matches("src/ß", fold=True)


@given(pathworld.patterns, st.sampled_from(pathworld.PATHS))
def test_the_case_of_a_path_does_not_matter_where_it_is_not_regarded(pattern: Pattern, path: str) -> None:
    assert pattern.matches(path, fold=True) == pattern.matches(path.upper(), fold=True)
    assert pattern.matches(path, fold=True) == Pattern.parse(
        pattern.text.upper().replace(":(LITERAL)", ":(literal)"), broad=True
    ).matches(path, fold=True)


@given(st.text("aAßſςσΣİıéÉKµ", min_size=1, max_size=5), st.text("*?", max_size=2))
def test_what_a_pattern_means_it_means_without_regard_to_case_too(name: str, wild: str) -> None:
    pattern = Pattern.parse(f"d/{name}{wild}")
    path = f"d/{pattern.text[2:].replace('*', 'ß').replace('?', 'İ')}"
    assert pattern.matches(path)
    assert pattern.matches(path, fold=True)


# --- against others


@settings(max_examples=200)
@given(pathworld.texts)
def test_a_pattern_means_what_a_slow_and_plain_reading_of_it_means(text: str) -> None:
    pattern = pathworld.parsed(text)
    if pattern is not None:
        for path in pathworld.FEW:
            assert pattern.matches(path) == pathworld.means(text, path), path


@settings(max_examples=300)
@given(pathworld.texts)
def test_the_canonical_text_reads_back_as_the_same_pattern(text: str) -> None:
    pattern = pathworld.parsed(text)
    if pattern is not None:
        again = Pattern.parse(pattern.text, broad=True)
        assert (again, again.text, again.alternatives) == (pattern, pattern.text, pattern.alternatives)


def below(pattern: Pattern, path: str) -> bool:
    """What gitignore would make of it: what is meant may be a directory, and then all below is meant."""
    names = path.split("/")
    return any(pattern.matches("/".join(names[:size])) for size in range(1, len(names) + 1))


def in_gitignore(pattern: Pattern) -> str | None:
    """The pattern as a line of gitignore, or None where the grammars differ: braces are literal there, and stars beside
    stars within a segment (`***`, `a**`) are read in as many ways as there are programs."""
    text = pattern.text.removeprefix(":(literal)")
    if text != pattern.text:
        text = text.replace("*", "\\*")
    return None if re.search(r"[^/]\*\*|\*\*[^/]", text.replace("\\*", "x")) else f"/{text}"


@settings(max_examples=4)
@given(st.lists(pathworld.git_texts, min_size=40, max_size=40))
def test_git_reads_patterns_alike(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    top: Path = tmp_path_factory.mktemp("git")
    subprocess.run(["git", "init", "-q", top], check=True)
    patterns: dict[str, Pattern] = {}
    for text in texts:
        pattern = pathworld.parsed(text)
        if pattern is not None and (line := in_gitignore(pattern)) is not None:
            place = f"d{len(patterns)}"
            patterns[place] = pattern
            (top / place).mkdir()
            (top / place / ".gitignore").write_text(line + "\n")
    asked = [f"{place}/{path}" for place in patterns for path in pathworld.FEW[::2]]
    command = ["git", "check-ignore", "--no-index", "--stdin", "-z", "--verbose", "--non-matching"]
    done = subprocess.run(command, cwd=top, input="\0".join(asked), capture_output=True, text=True, check=False)
    fields = done.stdout.split("\0")[:-1]
    said = dict(zip(fields[3::4], map(bool, fields[0::4]), strict=True))
    assert len(said) == len(asked)
    for path, ignored in said.items():
        place, rest = path.split("/", 1)
        assert below(patterns[place], rest) == ignored, (patterns[place], rest)


@settings(max_examples=60)
@given(pathworld.git_texts)
def test_pathspec_reads_patterns_alike(text: str) -> None:
    """But for `[!a]`, which it lets stand for a slash, and for `**/**` at the end."""
    pattern = pathworld.parsed(text)
    if pattern is None or (line := in_gitignore(pattern)) is None or "[!" in line or "[^" in line or "**/**" in line:
        return
    spec = GitIgnoreSpec.from_lines([line])
    for path in pathworld.FEW[::2]:
        assert below(pattern, path) == spec.match_file(path), path
