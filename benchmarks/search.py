"""`python -m benchmarks.search [--sizes 1000 10000]`: both search engines on the same messages, as Markdown.

tantivy is measured beside them where it is installed; it is no dependency.
"""

import argparse
import itertools
import json
import multiprocessing
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gitmaild.app.ports import SearchIndex
from gitmaild.edges.fts_index import FtsIndex
from gitmaild.edges.whoosh_index import WhooshIndex
from gitmaild.model.message import Message
from gitmaild.model.search import ANYWHERE, And, Between, Document, Not, Or, Phrase, Prefix, Query, Term
from gitmaild.rules.document import document
from gitmaild.rules.query import parse
from gitmaild.rules.snippet import Needles

AGENTS = ("GreenCastle", "RedCat", "BlueLake", "SwiftFalcon", "QuietOtter", "BrightFox")
_STEMS = (
    "token cache auth route deploy index query lease mail agent commit branch merge build test error retry timeout session "
    "store schema parse config server client request answer worker queue lock"
).split()
_VOCABULARY = [stem + end for stem in _STEMS for end in ("", "s", "ing", "ed", "er")] + [f"w{n:05d}" for n in range(8_000)]
_WEIGHTS = [1 / (rank + 3) for rank in range(len(_VOCABULARY))]
_COMMON = "the a to of and in is that for it on with as this be are not by from at we i you have has was will or if".split()
_FILES = [
    f"{top}/{part}/{name}.{end}"
    for top in ("src", "tests", "docs", "lib")
    for part in ("api", "core", "web", "db", "auth")
    for name in ("routes", "models", "views", "utils", "index", "client", "server")
    for end in ("py", "ts", "md")
]
_NAMES = ("UserRepo.save", "session_store", "HTTPServer", "parse_query()", "MAX_RETRY_COUNT")
_SPAN = timedelta(days=240)
# Documents a commit when an index is made in one go, for every engine.
_BULK = 1_000

# What is asked, several of each kind: the median and the worst are over all of them.
QUERIES = {
    "term": ["token", "cache", "deploying", "w00040", "w01000", "w06000"],
    "two terms": ["token cache", "auth deploy", "w00040 session", "w01000 token"],
    "three, any": ["token OR cache OR auth", "w00100 OR w00200 OR w00300"],
    "without": ["token -cache", "the -auth"],
    "phrase": ['"token expired"', '"cache the token"', '"not w00040"', '"to be"'],
    "field": ["subject:token", "subject:w00100", "body:session"],
    "prefix": ["auth*", "deplo*", "sess*", "w0004*", "src/api/rou*"],
    "path or name": ["src/api/routes.py", "routes.py", "path:src/api", "UserRepo.save", "br-17"],
    "thread": ["thread:br-17", "thread:br-40"],
    "from and date": ["from:GreenCastle after:7d", "from:RedCat on:yesterday", "to:BlueLake before:30d"],
    "date and term": ["token after:7d before:3d", "w01000 after:30d"],
    "subject, phrase, from": ['subject:auth body:"token expired" from:GreenCastle'],
    "not there": ["zebra", '"zebra lion"'],
}


def messages(count: int) -> Iterator[Message]:
    """Mail of agents: about 1.6 KB of prose, paths, names and ids each, spread over 240 days."""
    chance = random.Random(4)
    at, step = datetime(2026, 1, 1, tzinfo=UTC), _SPAN / count
    threads = max(count // 20, 50)
    for number in range(count):
        at += step
        words = [*chance.choices(_VOCABULARY, _WEIGHTS, k=130), *chance.choices(_COMMON, k=110)]
        chance.shuffle(words)
        for extra in (*chance.choices(_FILES, k=3), f"br-{chance.randrange(threads)}", chance.choice(_NAMES)):
            words.insert(chance.randrange(len(words)), extra)
        if chance.random() < 0.1:
            words.insert(40, "token expired")
        thread = f"br-{chance.randrange(threads)}"
        yield Message(
            f"msg_{at:%Y%m%d}_{number:08x}",
            thread,
            chance.choice(AGENTS),
            (chance.choice(AGENTS),),
            at,
            chance.choice(("low", "normal", "normal", "high", "urgent")),
            chance.random() < 0.2,
            f"[{thread}] " + " ".join(chance.choices(_VOCABULARY, _WEIGHTS, k=5)),
            body=" ".join(words) + "\n",
        )


def row(*cells: object) -> None:
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def table(title: str, *head: str) -> None:
    print(f"\n## {title}\n", flush=True)
    row(*head)
    row(*("---" for _ in head))


def milliseconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000


def pair(times: list[float]) -> str:
    ordered = sorted(times)
    return f"{statistics.median(ordered):.2f} / {ordered[min(len(ordered) - 1, len(ordered) * 95 // 100)]:.2f}"


def memory() -> tuple[int, int]:
    """(anonymous, resident) bytes of this process."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:])
    return int(lines["Anonymous"].split()[0]) * 1024, int(lines["Rss"].split()[0]) * 1024


def measure(make: Callable[[Path], Any], documents: list[Document], directory: Path, results: dict[str, Any]) -> None:
    index = make(directory)
    index.open(writing=True)
    cpu, wall = time.process_time(), time.perf_counter()
    for start in range(0, len(documents), _BULK):
        index.add(documents[start : start + _BULK], "a" * 40)
    results["cpu"] = len(documents) / (time.process_time() - cpu)
    results["wall"] = len(documents) / (time.perf_counter() - wall)
    results["bytes"] = index.bytes_used()
    last = documents[-1].created
    single, many = [], []
    for number in range(30):
        extra = [_moved(documents[(number * 37) % len(documents)], last + number, "one")]
        single.append(milliseconds(lambda extra=extra: index.add(extra, "b" * 40)))  # type: ignore[misc]
    for number in range(6):
        rows = [_moved(d, last + 1000 + number * 100 + n, f"{number}") for n, d in enumerate(documents[:64])]
        many.append(milliseconds(lambda rows=rows: index.add(rows, "b" * 40)))  # type: ignore[misc]
    results["single"], results["many"] = pair(single), pair(many)
    index.close()


def _moved(document_: Document, created: int, name: str) -> Document:
    made = Document(f"{document_.key}-{name}-{created}", document_.oid, created, *_texts(document_))
    return made


def _texts(document_: Document) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    return document_.subject, document_.body, document_.keys


def ask(make: Callable[[Path], Any], directory: Path, now: datetime, pipe: Any) -> None:
    """Search in a process of its own, so that its memory is a searcher's."""
    before = memory()
    found: dict[str, Any] = {"open": milliseconds(lambda: None)}
    index = make(directory)
    found["open"] = milliseconds(lambda: index.open(writing=False))
    for kind, texts in QUERIES.items():
        queries = [parse(text, now) for text in texts]
        newest: list[float] = []
        best: list[float] = []
        for query in queries * 3:
            newest.append(milliseconds(lambda query=query: list(itertools.islice(index.newest(query), 20))))  # type: ignore[misc]
            best.append(milliseconds(lambda query=query: index.best(query, 20)))  # type: ignore[misc]
        found[kind] = pair(newest), pair(best)
    after = memory()
    found["anonymous"], found["resident"] = after[0] - before[0], after[1]
    index.close()
    pipe.send(json.dumps(found))


def in_a_process(make: Callable[[Path], Any], directory: Path, now: datetime) -> dict[str, Any]:
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("spawn").Process(target=ask, args=(make, directory, now, theirs))
    child.start()
    theirs.close()
    found = json.loads(ours.recv())
    child.join()
    return dict(found)


class TantivyIndex:
    """tantivy with the same terms, for comparison; only what is measured here."""

    engine = "tantivy"

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def open(self, *, writing: bool) -> None:
        import tantivy

        self._directory.mkdir(parents=True, exist_ok=True)
        build = tantivy.SchemaBuilder()
        for field in ("subject", "body", "keys"):
            build.add_text_field(field, tokenizer_name="whitespace", index_option="position")
        build.add_integer_field("created", indexed=True, fast=True, stored=True)
        build.add_text_field("key", stored=True, tokenizer_name="raw")
        self._tantivy, self._schema = tantivy, build.build()
        self._index = tantivy.Index(self._schema, path=str(self._directory))
        self._writer = self._index.writer(64 << 20, 1) if writing else None

    def add(self, documents: list[Document], checkpoint: str) -> None:
        for found in documents:
            self._writer.add_document(
                self._tantivy.Document(
                    subject=" ".join(found.subject),
                    body=" ".join(found.body),
                    keys=" ".join(found.keys),
                    created=found.created,
                    key=found.key,
                )
            )
        self._writer.commit()

    def _find(self, query: Query, **how: Any) -> list[Any]:
        self._index.reload()
        searcher = self._index.searcher()
        found = searcher.search(self._made(query), 20, count=False, **how).hits
        return [searcher.doc(address)["key"] for _, address in found]

    def newest(self, query: Query) -> Iterator[Any]:
        return iter(self._find(query, order_by_field="created"))

    def best(self, query: Query, limit: int) -> list[Any]:
        return self._find(query)

    def _made(self, query: Query) -> Any:
        ask, occur = self._tantivy.Query, self._tantivy.Occur

        def fields(field: str) -> tuple[str, ...]:
            return ("subject", "body") if field == ANYWHERE else (field,)

        def any_of(parts: list[Any]) -> Any:
            return parts[0] if len(parts) == 1 else ask.boolean_query([(occur.Should, part) for part in parts])

        match query:
            case Term(field, text):
                return any_of([ask.term_query(self._schema, f, text) for f in fields(field)])
            case Prefix(field, text):
                pattern = "".join(c if c.isalnum() else f"\\{c}" for c in text) + ".*"
                return any_of([ask.regex_query(self._schema, f, pattern) for f in fields(field)])
            case Phrase(field, terms):
                return any_of([ask.phrase_query(self._schema, f, list(terms)) for f in fields(field)])
            case And(parts):
                return ask.boolean_query(
                    [
                        (occur.MustNot, self._made(p.part)) if isinstance(p, Not) else (occur.Must, self._made(p))
                        for p in parts
                    ]
                )
            case Or(parts):
                return any_of([self._made(part) for part in parts])
            case Between(start, end):
                return ask.range_query(self._schema, "created", self._tantivy.FieldType.Integer, start, end, True, False)
            case _:
                raise ValueError(query)

    def bytes_used(self) -> int:
        return sum(path.stat().st_size for path in self._directory.iterdir())

    def close(self) -> None:
        if self._writer:
            self._writer.wait_merging_threads()
        self._index = self._writer = None


def engines() -> dict[str, Callable[[Path], Any]]:
    found: dict[str, Callable[[Path], SearchIndex | TantivyIndex]] = {"whoosh": WhooshIndex, "fts5": FtsIndex}
    try:
        import tantivy  # noqa: F401
    except ImportError:
        return found
    return found | {"tantivy": TantivyIndex}


def run(size: int, top: Path) -> None:
    mail = list(messages(size))
    began = time.process_time()
    documents = [document("shop", message, "0" * 40) for message in mail]
    analysed = size / (time.process_time() - began)
    body = statistics.mean(len(message.body) for message in mail)
    terms = statistics.mean(len(found.body) for found in documents)
    print(f"\n# {size:,} messages of {body:,.0f} characters, {terms:.0f} terms; analysis {analysed:,.0f} a CPU second")
    made, found = {}, {}
    now = mail[-1].created + timedelta(minutes=1)
    sample = mail[:: max(1, size // 200)]
    del mail
    for name, make in engines().items():
        directory = top / f"{name}-{size}" / name
        directory.parent.mkdir()
        made[name] = {}
        measure(make, documents, directory, made[name])
        found[name] = in_a_process(make, directory, now)
        shutil.rmtree(directory)
    table(f"Building and keeping up, {size:,}", "", *made)
    row("messages a CPU second, in bulk", *(f"{m['cpu']:,.0f}" for m in made.values()))
    row("messages a second, in bulk", *(f"{m['wall']:,.0f}" for m in made.values()))
    row("bytes a message", *(f"{m['bytes'] / size:,.0f}" for m in made.values()))
    row("one message, committed: p50 / p95 ms", *(m["single"] for m in made.values()))
    row("64 messages, committed: p50 / p95 ms", *(m["many"] for m in made.values()))
    row("opening, ms", *(f"{f['open']:.1f}" for f in found.values()))
    row("memory of a searcher, anonymous", *(f"{f['anonymous'] / 2**20:.0f} MiB" for f in found.values()))
    row("the same, resident with files", *(f"{f['resident'] / 2**20:.0f} MiB" for f in found.values()))
    for order, title in enumerate(("Newest first, 20 hits", "The best 20")):
        table(f"{title}, {size:,}: p50 / p95 ms", "query", *found)
        for kind in QUERIES:
            row(kind, *(f[kind][order] for f in found.values()))
    needles = Needles(parse('token "cache the" src/api/routes.py', now))
    took = [milliseconds(lambda m=message: needles.snippet(m.body)) for message in sample]  # type: ignore[misc]
    print(f"\nA snippet: {pair(took)} ms; reading a query: {_reading(now):.0f} µs.")


def _reading(now: datetime) -> float:
    texts = [text for kind in QUERIES.values() for text in kind]
    return milliseconds(lambda: [parse(text, now) for text in texts]) * 1000 / len(texts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000])
    top = Path(tempfile.mkdtemp(prefix="gitmaild-search-"))
    try:
        for size in parser.parse_args().sizes:
            run(size, top)
    finally:
        shutil.rmtree(top)


if __name__ == "__main__":
    main()
