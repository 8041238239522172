"""What every search index must do. `tests/edges/test_fts_index.py` and `test_whoosh_index.py` inherit it."""

import os
import shutil
import stat
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitmaild.app.ports import SearchIndex
from gitmaild.edges.index_directory import UntrustedIndex
from gitmaild.model.errors import Refused
from gitmaild.model.search import (
    ANYWHERE,
    KEYS,
    TEXTS,
    Among,
    And,
    Between,
    Document,
    Hit,
    IndexDamaged,
    Not,
    Or,
    Phrase,
    Prefix,
    Query,
    Term,
)
from gitmaild.rules.analysis import terms
from gitmaild.rules.document import document
from gitmaild.rules.match import matches
from gitmaild.rules.query import parse
from tests.build import NOW, a_message
from tests.contracts.lookups import FOUND, NOT_FOUND

TIP, NEXT = "a" * 40, "b" * 40
_YEAR = 2026


def a_document(number: int, *, body: str = "", subject: str = "", created: int | None = None, keys: str = "") -> Document:
    at = 1_767_225_600_000_000 + number * 1_000_000 if created is None else created
    return Document(f"shop/m{number:04d}", f"{number:040x}", at, terms(subject), terms(body), tuple(keys.split()))


def expected(query: Query, documents: list[Document]) -> list[tuple[int, str]]:
    """What the rules themselves find, newest first."""
    return sorted(((d.created, d.key) for d in documents if matches(query, d)), reverse=True)


def seen(hits: Iterator[Hit] | list[Hit]) -> list[tuple[int, str]]:
    return [(hit.created, hit.key) for hit in hits]


# --- random corpora and queries

_words = st.sampled_from(["a", "b", "c", "ab", "abc", "認証", "c++"])
_keys = st.sampled_from(["from:red", "from:blue", "to:red", "tag:x"])
_moments = st.integers(0, 6)
documents = st.lists(
    st.builds(
        lambda subject, body, keys, at: (tuple(subject), tuple(body), tuple(sorted(keys)), at),
        st.lists(_words, max_size=3),
        st.lists(_words, max_size=6),
        st.sets(_keys, max_size=3),
        _moments,
    ),
    max_size=12,
).map(lambda rows: [Document(f"shop/m{n}", f"{n:040x}", at, s, b, k) for n, (s, b, k, at) in enumerate(rows)])

_fields = st.sampled_from([ANYWHERE, *TEXTS])
_leaves: st.SearchStrategy[Query] = st.one_of(
    st.builds(Term, _fields, _words),
    st.builds(Term, st.just(KEYS), _keys),
    st.builds(Prefix, _fields, st.sampled_from(["a", "ab", "認"])),
    st.builds(Prefix, st.just(KEYS), st.sampled_from(["from:", "t"])),
    st.builds(Phrase, _fields, st.lists(_words, min_size=2, max_size=3).map(tuple)),
    st.tuples(_moments, _moments).map(lambda pair: Between(min(pair), max(pair))),
    st.builds(Between, st.just(-(2**62)), _moments),
    st.builds(Between, _moments, st.just(2**62)),
    st.sets(st.integers(0, 12), max_size=5).map(lambda found: Among(frozenset(f"shop/m{n}" for n in found))),
)
queries: st.SearchStrategy[Query] = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: And(tuple(parts))),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: Or(tuple(parts))),
        st.builds(Not, inner),
    ),
    max_leaves=6,
)


class SearchIndexContract:
    """Inherited by each engine's test class, which says how to make one."""

    @classmethod
    def make(cls, directory: Path) -> SearchIndex:
        raise NotImplementedError

    @pytest.fixture
    def directory(self, tmp_path: Path) -> Path:
        return tmp_path / "index" / "engine"

    @pytest.fixture
    def index(self, directory: Path) -> Iterator[SearchIndex]:
        index = self.make(directory)
        index.open(writing=True)
        yield index
        index.close()

    def reader(self, directory: Path) -> SearchIndex:
        index = self.make(directory)
        index.open(writing=False)
        return index

    # --- adding

    def test_a_new_index_is_empty_and_reaches_nowhere(self, index: SearchIndex) -> None:
        assert (index.size(), index.checkpoint()) == (0, "")
        assert list(index.newest(Term(ANYWHERE, "a"))) == index.best(Term(ANYWHERE, "a"), 5) == []

    def test_what_was_added_is_found_with_its_blob(self, index: SearchIndex) -> None:
        index.add([a_document(1, body="the token expired")], TIP)
        (hit,) = index.newest(Term(ANYWHERE, "token"))
        assert hit == Hit(1_767_225_601_000_000, "shop/m0001", f"{1:040x}")
        assert (index.size(), index.checkpoint()) == (1, TIP)

    def test_it_is_there_after_closing_and_opening(self, index: SearchIndex) -> None:
        index.add([a_document(1, body="token")], TIP)
        index.close()
        index.open(writing=True)
        assert (len(list(index.newest(Term(ANYWHERE, "token")))), index.checkpoint()) == (1, TIP)

    def test_a_reader_sees_what_the_writer_committed_since(self, index: SearchIndex, directory: Path) -> None:
        index.add([a_document(1, body="token")], TIP)
        reader = self.reader(directory)
        assert (reader.size(), reader.checkpoint()) == (1, TIP)
        index.add([a_document(2, body="token")], NEXT)
        assert seen(reader.newest(Term(ANYWHERE, "token"))) == seen(index.newest(Term(ANYWHERE, "token")))
        assert (reader.size(), reader.checkpoint()) == (2, NEXT)
        reader.close()

    def test_a_walk_goes_on_while_documents_are_added(self, index: SearchIndex) -> None:
        index.add([a_document(n, body="token") for n in range(50)], TIP)
        walk = index.newest(Term(ANYWHERE, "token"))
        first = next(walk)
        for number in range(60, 64):
            index.add([a_document(number, body="token")], NEXT)
        index.tend()
        assert [first.key, *(hit.key for hit in walk)] == [f"shop/m{n:04d}" for n in range(49, -1, -1)]

    def test_a_document_that_is_added_again_replaces_the_old_one(self, index: SearchIndex) -> None:
        index.add([a_document(1, body="old words"), a_document(2, body="other")], TIP)
        index.add([a_document(1, body="new words")], NEXT)
        assert index.size() == 2
        assert list(index.newest(Term(ANYWHERE, "old"))) == []
        assert seen(index.newest(Term(ANYWHERE, "words"))) == [(1_767_225_601_000_000, "shop/m0001")]

    def test_what_is_gone_is_found_no_more(self, index: SearchIndex) -> None:
        index.add([a_document(1, body="token"), a_document(2, body="token")], TIP)
        index.add([], NEXT, gone=["shop/m0002", "shop/never-there"])
        assert [hit.key for hit in index.newest(Term(ANYWHERE, "token"))] == ["shop/m0001"]
        assert [hit.key for hit in index.best(Term(ANYWHERE, "token"), 5)] == ["shop/m0001"]
        assert (index.size(), index.checkpoint()) == (1, NEXT)

    def test_the_same_document_twice_in_one_batch_is_one(self, index: SearchIndex) -> None:
        index.add([a_document(1, body="first"), a_document(1, body="second")], TIP)
        assert index.size() == 1
        assert list(index.newest(Term(ANYWHERE, "first"))) == []
        assert len(list(index.newest(Term(ANYWHERE, "second")))) == 1

    def test_a_checkpoint_moves_without_documents(self, index: SearchIndex) -> None:
        index.add([], TIP)
        assert (index.checkpoint(), index.size()) == (TIP, 0)

    def test_clearing_leaves_an_index_that_can_be_used(self, index: SearchIndex) -> None:
        index.add([a_document(1, body="token")], TIP)
        index.clear()
        assert (index.size(), index.checkpoint()) == (0, "")
        index.add([a_document(2, body="token")], NEXT)
        assert [hit.key for hit in index.newest(Term(ANYWHERE, "token"))] == ["shop/m0002"]

    def test_upkeep_changes_no_answer_and_comes_to_an_end(self, index: SearchIndex) -> None:
        for number in range(40):
            index.add([a_document(number, body=f"token w{number % 7}")], TIP)
        before = [seen(index.newest(q)) for q in (Term(ANYWHERE, "token"), Term(ANYWHERE, "w3"), Prefix(ANYWHERE, "w"))]
        for _ in range(100):
            if not index.tend():
                break
        else:
            raise AssertionError("upkeep never ends")
        after = [seen(index.newest(q)) for q in (Term(ANYWHERE, "token"), Term(ANYWHERE, "w3"), Prefix(ANYWHERE, "w"))]
        assert after == before
        assert (index.size(), index.checkpoint()) == (40, TIP)

    # --- finding

    @pytest.mark.parametrize(("text", "query"), FOUND)
    def test_what_people_type_finds_what_they_mean(self, shelf: SearchIndex, text: str, query: str) -> None:
        hits = {hit.key for hit in shelf.newest(parse(query, NOW))}
        assert f"shop/{_id_of(text)}" in hits

    @pytest.mark.parametrize(("text", "query"), NOT_FOUND)
    def test_what_only_looks_similar_is_not_found(self, shelf: SearchIndex, text: str, query: str) -> None:
        hits = {hit.key for hit in shelf.newest(parse(query, NOW))}
        assert f"shop/{_id_of(text)}" not in hits

    @pytest.fixture(scope="class")
    @classmethod
    def shelf(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchIndex]:
        """One index that holds every text of the look-ups."""
        index = cls.make(tmp_path_factory.mktemp("shelf") / "index" / "engine")
        index.open(writing=True)
        index.add([document("shop", a_message(id=_id_of(text), subject="", body=text), "0" * 40) for text in _texts()], TIP)
        yield index
        index.close()

    @settings(max_examples=60)
    @given(documents, st.lists(queries, min_size=1, max_size=8), st.lists(st.integers(0, 12), max_size=3), st.booleans())
    def test_it_finds_what_the_rules_find(
        self, found: list[Document], asked: list[Query], cuts: list[int], tended: bool
    ) -> None:
        with _scratch() as top:
            index = self.make(top / "index" / "engine")
            index.open(writing=True)
            edges = [0, *sorted(min(cut, len(found)) for cut in cuts), len(found)]
            for start, end in pairwise(edges):
                index.add(found[start:end], TIP)
            while tended and index.tend():
                pass
            for query in asked:
                assert seen(index.newest(query)) == expected(query, found)
                best = index.best(query, 100)
                assert sorted(seen(best), reverse=True) == expected(query, found)
                assert [hit.score for hit in best] == sorted((hit.score for hit in best), reverse=True)
            index.close()

    def test_newest_come_first_whenever_they_were_added(self, index: SearchIndex) -> None:
        order = [7, 1, 9, 3, 200, 8, 100, 2, 150, 4]
        for number in order:
            index.add([a_document(number, body="token")], TIP)
        index.add([a_document(n, body="token") for n in (120, 5, 300, 6)], TIP)
        numbers = sorted([*order, 120, 5, 300, 6], reverse=True)
        assert [hit.key for hit in index.newest(Term(ANYWHERE, "token"))] == [f"shop/m{n:04d}" for n in numbers]

    def test_many_messages_of_one_moment_are_in_the_order_of_their_ids(self, index: SearchIndex) -> None:
        for start in (30, 0, 60):
            index.add([a_document(start + n, body="token", created=5) for n in range(30)], TIP)
        expected_keys = [f"shop/m{n:04d}" for n in range(89, -1, -1)]
        assert [hit.key for hit in index.newest(Term(ANYWHERE, "token"))] == expected_keys

    def test_dates_hold_their_beginning_and_not_their_end(self, index: SearchIndex) -> None:
        index.add([a_document(n, body="token", created=n) for n in range(10)], TIP)
        found = index.newest(And((Term(ANYWHERE, "token"), Between(3, 6))))
        assert [hit.created for hit in found] == [5, 4, 3]
        assert [hit.created for hit in index.newest(Between(8, 2**62))] == [9, 8]

    def test_a_message_about_it_is_better_than_one_that_mentions_it(self, index: SearchIndex) -> None:
        long = "some other words that fill a message " * 20
        index.add(
            [
                a_document(1, subject="Token", body="token token"),
                a_document(2, body=f"{long} token"),
                a_document(3, body=long),
            ],
            TIP,
        )
        best = index.best(Term(ANYWHERE, "token"), 10)
        assert [hit.key for hit in best] == ["shop/m0001", "shop/m0002"]
        assert best[0].score > best[1].score > 0

    def test_the_best_are_no_more_than_asked_for(self, index: SearchIndex) -> None:
        index.add([a_document(n, body="token") for n in range(30)], TIP)
        assert len(index.best(Term(ANYWHERE, "token"), 5)) == 5

    def test_a_filter_alone_is_answered_newest_first(self, index: SearchIndex) -> None:
        index.add([a_document(n, keys="from:red") for n in range(5)], TIP)
        assert [hit.key for hit in index.best(Term(KEYS, "from:red"), 2)] == ["shop/m0004", "shop/m0003"]

    def test_signs_and_keywords_of_a_query_language_are_only_terms(self, index: SearchIndex) -> None:
        odd = ["and", "or", "not", "near", "*", "a*b", "a:b", "^x", "{x}", "(x)", "--", "%", "'", "x'y", "..", "~", "a/b"]
        index.add(
            [Document(f"shop/{n}", "0" * 40, n, (), (term,), ()) for n, term in enumerate(odd) if "'" not in term], TIP
        )
        for number, term in enumerate(odd):
            if "'" not in term:
                assert [hit.key for hit in index.newest(Term(ANYWHERE, term))] == [f"shop/{number}"], term

    def test_a_prefix_of_very_many_terms_is_refused_in_words(self, index: SearchIndex) -> None:
        index.add([a_document(n, body=" ".join(f"word{n}x{m}" for m in range(40))) for n in range(100)], TIP)
        for ask in (lambda: list(index.newest(Prefix(ANYWHERE, "word"))), lambda: index.best(Prefix(ANYWHERE, "word"), 5)):
            with pytest.raises(Refused) as caught:
                ask()
            assert caught.value.refusal.reason == "word* stands for more than 1,000 words"
        index.add([a_document(n, keys=" ".join(f"worn:{n}x{m}" for m in range(40))) for n in range(100, 200)], TIP)
        index.add([a_document(200, body=" ".join(f"worn{m}" for m in range(950)))], TIP)
        assert len(list(index.newest(Prefix(ANYWHERE, "worn")))) == 1
        assert len(list(index.newest(Prefix(ANYWHERE, "word9")))) == 11
        assert len(list(index.newest(Prefix(ANYWHERE, "word99x")))) == 1

    def test_a_long_message_is_found_by_its_last_word(self, index: SearchIndex) -> None:
        body = " ".join(f"w{n}" for n in range(20_000)) + " finally here"
        index.add([a_document(1, body=body)], TIP)
        assert len(list(index.newest(Phrase("body", ("finally", "here"))))) == 1

    # --- the directory

    def test_the_directory_is_closed_to_others(self, index: SearchIndex, directory: Path) -> None:
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        for path in directory.iterdir():
            assert path.stat().st_uid == os.geteuid()

    def test_a_directory_that_others_can_write_is_closed_or_not_believed(self, index: SearchIndex, directory: Path) -> None:
        index.close()
        directory.chmod(0o777)
        with pytest.raises(UntrustedIndex):
            self.reader(directory)
        index.open(writing=True)
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700

    def test_a_symlink_in_place_of_the_directory_is_not_followed(self, index: SearchIndex, directory: Path) -> None:
        index.close()
        directory.rename(directory.with_name("elsewhere"))
        directory.symlink_to(directory.with_name("elsewhere"))
        for writing in (True, False):
            with pytest.raises(UntrustedIndex):
                self.make(directory).open(writing=writing)

    def test_a_reader_of_nothing_says_so(self, directory: Path) -> None:
        with pytest.raises(IndexDamaged):
            self.reader(directory)

    # --- damage

    def filled(self, directory: Path, count: int = 120) -> list[tuple[int, str]]:
        """An index with some segments, closed; what a search for its one common word finds."""
        index = self.make(directory)
        index.open(writing=True)
        for start in range(0, count, 40):
            rows = range(start, min(start + 40, count))
            index.add([a_document(n, body=f"token w{n} " + f"filler{n % 9} " * 30, keys="from:red") for n in rows], TIP)
        found = seen(index.newest(Term(ANYWHERE, "token")))
        index.close()
        return found

    def heal(self, index: SearchIndex) -> None:
        """What the app does on damage."""
        index.clear()
        index.add([a_document(500, body="healed")], NEXT)
        assert [hit.key for hit in index.newest(Term(ANYWHERE, "healed"))] == ["shop/m0500"]
        index.close()

    def check_damage(self, directory: Path, right: list[tuple[int, str]]) -> None:
        """After something was done to the files: the right answer, or `IndexDamaged` and a way out. Nothing else."""
        for writing in (False, True):
            copy = directory.with_name(f"copy-{writing}")
            shutil.copytree(directory, copy)
            copy.chmod(0o700)
            index = self.make(copy)
            try:
                index.open(writing=writing)
                reaches = index.checkpoint()
                found = seen(index.newest(Term(ANYWHERE, "token")))
                index.best(Term(ANYWHERE, "token"), 5)
                list(index.newest(Phrase("body", ("token", "w7"))))
                list(index.newest(Prefix(ANYWHERE, "fill")))
                if writing:
                    index.add([a_document(900, body="late")], NEXT)
                    index.tend()
            except IndexDamaged:
                if writing:
                    self.heal(index)
            else:
                # Where it opens for writing, it vouches: whole, or empty and reaching nowhere.
                assert found == right or not writing or (reaches == "" and found == [])
            index.close()
            shutil.rmtree(copy)

    @pytest.mark.parametrize("harm", ["truncated", "halved", "emptied", "deleted", "zeroed", "garbage at the start",
                                      "garbage in the middle", "garbage at the end", "longer"])  # fmt: skip
    def test_damage_to_any_file_is_found_or_harmless(self, directory: Path, harm: str) -> None:
        right = self.filled(directory)
        for name in sorted(os.listdir(directory)):
            path = directory / name
            before = path.read_bytes()
            harm_file(path, before, harm)
            self.check_damage(directory, right)
            path.write_bytes(before)

    def test_an_index_of_another_version_is_not_used(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.filled(directory)
        self.other_version(monkeypatch)
        with pytest.raises(IndexDamaged):
            self.make(directory).open(writing=False)
        index = self.make(directory)
        with pytest.raises(IndexDamaged):
            index.open(writing=True)
        self.heal(index)

    def other_version(self, monkeypatch: pytest.MonkeyPatch) -> None:
        raise NotImplementedError

    def test_files_of_nobody_in_the_directory_do_no_harm(self, directory: Path) -> None:
        right = self.filled(directory)
        (directory / "notes.txt").write_text("hello")
        (directory / "sub").mkdir()
        self.check_damage(directory, right)


def harm_file(path: Path, before: bytes, harm: str) -> None:
    size = len(before)
    garbage = b"\x93garbage\x00\xff" * 40
    match harm:
        case "truncated":
            path.write_bytes(before[: max(0, size - 7)])
        case "halved":
            path.write_bytes(before[: size // 2])
        case "emptied":
            path.write_bytes(b"")
        case "deleted":
            path.unlink()
        case "zeroed":
            path.write_bytes(bytes(size))
        case "garbage at the start":
            path.write_bytes((garbage + before[len(garbage) :])[: max(size, 1)])
        case "garbage in the middle":
            path.write_bytes((before[: size // 2] + garbage + before[size // 2 + len(garbage) :])[: max(size, 1)])
        case "garbage at the end":
            path.write_bytes(before[: max(0, size - 100)] + garbage[:100])
        case "longer":
            path.write_bytes(before + garbage)


def _texts() -> list[str]:
    return list(dict.fromkeys(text for text, _ in (*FOUND, *NOT_FOUND)))


def _id_of(text: str) -> str:
    return f"msg_20260101_{_texts().index(text):08x}"


def _scratch():  # type: ignore[no-untyped-def]
    import contextlib
    import tempfile

    @contextlib.contextmanager
    def made() -> Iterator[Path]:
        with tempfile.TemporaryDirectory() as top:
            yield Path(top)

    return made()
