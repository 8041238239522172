"""`python -m benchmarks.patterns`: what lease patterns cost, as Markdown. About half a minute."""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import gitmaild
from benchmarks.__main__ import machine, p, row, title
from gitmaild.model import overlap as module
from gitmaild.model.overlap import overlap, overlaps
from gitmaild.model.pattern import Pattern
from gitmaild.model.pattern_table import PatternTable

# As agents write them: files, directories, wildcards within a directory, at any depth, in the middle, braces.
WRITTEN = (
    "src/m{}/a.py", "src/m{}", "src/m{}/*.py", "src/m{}/**", "lib/**/m{}/*.ts", "docs/m{}.md", "m{}.cfg",
    "src/**/test_m{}*.py", "app/m{}/{{api,web}}/*.{{ts,tsx}}", "src/m{}/[a-f]?.py",
)  # fmt: skip
WORST = {
    "many `*`": ("a/" + "*a" * 125 + "*", "a/" + "*b" * 125 + "*"),
    "many `**`": ("**/x?/" * 15 + "*", "**/?y/" * 15 + "*"),
    "braces, 64 x 64": ("{a,b}" * 6 + "/**/*x*", "{b,a}" * 6 + "/**/*y*"),
    "braces, 64 x 64, many `*`": ("{a,b}" * 6 + "*x" * 4 + "*", "{a,b}" * 6 + "*y" * 4 + "*"),
    "braces, 32 x 32, many `**`": ("{a,b}" * 5 + "/**/x?" * 4, "{a,b}" * 5 + "/**/?y" * 4),
    "many classes": ("a/" + "[a-m]*" * 40, "a/" + "[k-z]*" * 40),
    "many different classes": (
        "a/" + "".join(f"[!{chr(0x4E00 + n)}]*" for n in range(48)),
        "a/" + "".join(f"[{chr(0x4E00 + n)}x]*" for n in range(48)),
    ),
    "braces and classes": ("{a,b}" * 4 + "[a-m]*" * 8, "{a,b}" * 4 + "[!k-z]*" * 7),
}


def afresh(one: Pattern, other: Pattern) -> float:
    """Milliseconds of a pair of which nothing is remembered."""
    module._share.cache_clear()
    return timed(lambda: overlap(one, other))


def written(count: int, deep: int = 0) -> list[str]:
    """Patterns, of which the first `deep` begin with `**`."""
    return [f"**/m{n}/*.py" if n < deep else WRITTEN[n % len(WRITTEN)].format(n) for n in range(count)]


def timed(call: Callable[[], object]) -> float:
    """Milliseconds of CPU."""
    began = time.process_time()
    call()
    return (time.process_time() - began) * 1000


def told(times: list[float]) -> str:
    return f"{statistics.median(times):.2f} / {p(times, 95):.2f} / {max(times):.2f} ms"


def table_of(texts: list[str]) -> PatternTable:
    table = PatternTable()
    for text in texts:
        table.add(Pattern.parse(text, broad=True), text)
    return table


def one_against(held: list[str], asked: list[str]) -> str:
    table = table_of(held)
    return told([timed(lambda text=text: table.overlapping(Pattern.parse(text, broad=True))) for text in asked])  # type: ignore[misc]


def match(held: list[str], rounds: int) -> str:
    paths = [f"src/m{n}/{name}" for n in range(0, 1000, 4) for name in ("a.py", "b.py", "v1/c.py", "test_m7.py")]

    def run() -> None:
        table = table_of(held)
        for path in paths:
            table.matching(path)

    return told([timed(run) for _ in range(rounds)])


def imports(rounds: int) -> str:
    top = Path(gitmaild.__file__).parents[1]

    def started(code: str) -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-I", "-S", "-c", f"import sys; sys.path.append({str(top)!r}); {code}"], check=True)
        return (time.perf_counter() - began) * 1000

    pairs = [
        (started("pass"), started("import gitmaild.model.pattern_table, gitmaild.model.pattern")) for _ in range(rounds)
    ]
    return f"+{statistics.median(loaded - bare for bare, loaded in pairs):.1f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.patterns", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    machine()
    many = written(1000)
    below = [f"src/api/{text}" for text in many]
    asked = written(2000)[1000:1200] + many[:200]
    wide = ["src/**/*.py", "**/*.ts", "src", "src/m*/a.py", "*.md", "{src,lib}/**/*"] * 10
    title("Lease patterns, CPU; p50 / p95 / max")
    row("parse, a pattern", f"{timed(lambda: [Pattern.parse(text) for text in many]):.1f} µs")
    patterns = [Pattern.parse(text) for text in many[:200]]
    pairs = timed(lambda: [overlaps(one, other) for one in patterns for other in patterns])
    row("whether two overlap, mean of 40,000 pairs", f"{pairs / 40:.1f} µs")
    one, other = Pattern.parse("src/**/*.py"), Pattern.parse("**/test_*")
    row("a witness", f"{timed(lambda: [overlap(one, other) for _ in range(1000)]):.1f} µs")
    row("1 new against 1,000 held", one_against(many, asked), "p95 <= 5 ms")
    row("1 new and wide against 1,000 held", one_against(many, wide), "p95 <= 5 ms")
    row("the same, 100 of the 1,000 begin with `**`", one_against(written(1000, 100), asked), "p95 <= 5 ms")
    row("all 1,000 below one directory", one_against(below, [f"src/api/{text}" for text in asked]), "p95 <= 5 ms")
    row(
        "all overlap: the directory against 1,000 below it",
        one_against(below, ["src/api", "src/**", "src/api/**"] * 20),
        "p95 <= 5 ms",
    )
    row("all begin with `**`", one_against(written(1000, 1000), asked), "p95 <= 5 ms")
    row("1,000 patterns built, 1,000 paths matched", match(many, rounds), "<= 25 ms")
    row("the same, 100 begin with `**`", match(written(1000, 100), rounds), "<= 25 ms")
    row("the same, all below one directory", match(below, rounds), "<= 25 ms")
    for name, texts in WORST.items():
        a, b = (Pattern.parse(text, broad=True) for text in texts)
        row(f"worst pair: {name}", told([afresh(a, b) for _ in range(5)]))
    row("import of what the hook needs of this, over an empty interpreter", imports(rounds))


if __name__ == "__main__":
    main()
