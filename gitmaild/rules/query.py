"""What somebody types into a search, to what is asked of an index.

    or      = and ("OR" and)*
    and     = not (["AND"] not)*
    not     = ("NOT" | "-") not | field ":" value | value
    value   = "(" or ")" | word | word "*" | '"' words '"'

A query is understood or refused; the refusal names the column. What looks like text is text: URLs, paths, `C++`, `HEAD~1`,
`host:8080`, `foo()`. Everything here is pure, the time included. `rules.asked` knows what a word becomes.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from gitmaild.model.errors import Refused, refuse
from gitmaild.model.message import IMPORTANCE
from gitmaild.model.search import ANYWHERE, KEYS, TEXTS, Among, And, Not, Or, Prefix, Query, State, Term
from gitmaild.rules import asked
from gitmaild.rules.dates import FORMS, between
from gitmaild.rules.document import normal_path, value
from gitmaild.rules.fields import did_you_mean

LONGEST = 2_000
MOST_TERMS = 32
DEEPEST = 20

STATES = ("unread", "read", "acked")
_HAS = {"ack": "ack", "attachment": "attachment", "attachments": "attachment"}
_DATES = ("before", "after", "on")
_KEYS = ("from", "to", "thread", "importance", "has", "is", "tag", "path", "id")
FIELDS = (*TEXTS, *_KEYS, *_DATES)
_MEANT = {
    "author": "from", "sender": "from", "by": "from", "cc": "to", "recipient": "to", "conversation": "thread",
    "priority": "importance", "label": "tag", "file": "path", "text": "body", "title": "subject", "since": "after",
    "newer": "after", "until": "before", "older": "before", "date": "on", "created": "on", "ts": "on", "state": "is",
}  # fmt: skip

_QUOTES = '"“”„'
_FIELD = re.compile(r"([A-Za-z][A-Za-z_]*):")
# A word may hold parentheses that close within it: `foo()`, `parse(x)`.
_WORD = re.compile(rf"(?:[^\s(){_QUOTES}](?:\([^\s(){_QUOTES}]*\))*)+")
_PHRASE = re.compile(rf"[{_QUOTES}]([^{_QUOTES}]*)([{_QUOTES}]?)")


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # word, phrase, field, AND, OR, NOT, (, ), or end
    text: str
    column: int


def parse(text: str, now: datetime) -> Query:
    """Read a query; dates are resolved against `now`. Raises `Refused` for one that cannot be understood."""
    if len(text) > LONGEST:
        raise _bad(LONGEST + 1, f"a query has at most {LONGEST:,} characters, this one has {len(text):,}", "make it shorter")
    parser = _Parser(_scan(text), now)
    if parser.token.kind == "end":
        raise _bad(1, "there is nothing to look for", "write a word, or a filter such as from:GreenCastle")
    query = parser.any_of()
    if parser.token.kind != "end":  # all that ends an expression too early
        raise _bad(parser.token.column, "')' closes nothing", "remove it, or open the parenthesis where it belongs")
    if not _says_what(query):
        raise _bad(
            1, "the query, or one side of its OR, only says what to leave out", "add a word, or a filter such as after:7d"
        )
    return query


def resolve(query: Query, state: Callable[[str], frozenset[str]]) -> Query:
    """The query with each `is:` replaced by the documents that are in that state. `state` is asked once for each name."""
    match query:
        case State(name):
            return Among(state(name))
        case And(parts):
            return And(tuple(resolve(part, state) for part in parts))
        case Or(parts):
            return Or(tuple(resolve(part, state) for part in parts))
        case Not(part):
            return Not(resolve(part, state))
        case _:
            return query


# --- characters to tokens


def _scan(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        token, at = _next_token(text, at)
        tokens.append(token)
    return [*tokens, _Token("end", "", len(text) + 1)]


def _next_token(text: str, at: int) -> tuple[_Token, int]:
    """The token that begins at an index, and the index behind it."""
    column = at + 1
    if text[at] in "()":
        return _Token(text[at], text[at], column), at + 1
    if phrase := _PHRASE.match(text, at):
        if not phrase[2]:
            raise _bad(column, "the quote that opens here is never closed", 'add the closing "')
        return _Token("phrase", phrase[1], column), phrase.end()
    if text[at] == "-" and _negates(text, at):
        return _Token("NOT", "-", column), at + 1
    word = _WORD.match(text, at)
    if (field := _FIELD.match(text, at)) and _names_field(text, field, word):
        return _Token("field", field[1].lower(), column), field.end()
    if word is None:
        return _Token(text[at], text[at], column), at + 1
    return _Token(word[0] if word[0] in ("AND", "OR", "NOT") else "word", word[0], column), word.end()


def _negates(text: str, at: int) -> bool:
    """A dash before something, and not the first of `--force` or `->`."""
    return at + 1 < len(text) and not text[at + 1].isspace() and text[at + 1] not in "->"


def _names_field(text: str, field: re.Match[str], word: re.Match[str] | None) -> bool:
    """True for `name:` where it is a field. Refuses what can only be a misspelt one; the rest is text."""
    name, column = field[1].lower(), field.start() + 1
    if name in FIELDS:
        return True
    behind = text[field.end() : word.end() if word else field.end()]
    quoted = text[field.end() : field.end() + 1] in (*_QUOTES, "(")
    if (not behind and not quoted) or behind.startswith(("/", ":", "\\")) or re.fullmatch(r"[\d:.,]+", behind):
        return False
    raise _unknown_field(name, column)


def _unknown_field(name: str, column: int) -> Refused:
    if name == "bcc":
        return _bad(column, "blind recipients cannot be searched for", "use to: for those whom the message names")
    meant = f"; did you mean {_MEANT[name]}?" if name in _MEANT else did_you_mean(name, FIELDS)
    return _bad(
        column, f"unknown field {name!r}{meant}", f"fields are {', '.join(FIELDS)}; text with a colon goes into quotes"
    )


def _bad(column: int, reason: str, mend: str) -> Refused:
    return refuse("bad-query", f"column {column}: {reason}", f"at column {column}: {mend}", field="query")


# --- tokens to a tree


class _Parser:
    """Recursive descent. `field` of the methods is the one that the words inside belong to."""

    def __init__(self, tokens: list[_Token], now: datetime) -> None:
        self._tokens, self._now = tokens, now
        self._at = self._depth = self._terms = 0

    @property
    def token(self) -> _Token:
        return self._tokens[self._at]

    def _take(self) -> _Token:
        token = self.token
        self._at += 1
        return token

    def any_of(self, field: str = ANYWHERE) -> Query:
        parts = [self.all_of(field)]
        while self.token.kind == "OR":
            self._operand_follows(self._take())
            parts.append(self.all_of(field))
        return asked.any_of(parts)

    def all_of(self, field: str) -> Query:
        if self.token.kind in ("AND", "OR"):
            word = self.token
            raise _bad(word.column, f"{word.text} has nothing before it", _operator_mend(word.text))
        parts = [self.one(field)]
        while self.token.kind not in ("OR", ")", "end"):
            if self.token.kind == "AND":
                self._operand_follows(self._take())
            parts.append(self.one(field))
        return asked.all_of(parts)

    def one(self, field: str) -> Query:
        token = self._take()
        match token.kind:
            case "NOT":
                self._operand_follows(token)
                with _Deeper(self, token.column):
                    return Not(self.one(field))
            case "field":
                return self._value_of(token, field)
            case "(":
                return self._group(token, field)
            case _:
                return self._leaf(token, field)

    def _operand_follows(self, operator: _Token) -> None:
        if self.token.kind in ("AND", "OR", ")", "end"):
            raise _bad(operator.column, f"{operator.text} has nothing behind it", _operator_mend(operator.text))

    def _group(self, opening: _Token, field: str) -> Query:
        if self.token.kind == ")":
            raise _bad(opening.column, "there is nothing between the parentheses", "write what to look for, or remove them")
        with _Deeper(self, opening.column):
            query = self.any_of(field)
        if self.token.kind != ")":
            raise _bad(opening.column, "the parenthesis that opens here is never closed", "add the closing )")
        self._take()
        return query

    def _value_of(self, name: _Token, outer: str) -> Query:
        """What follows `field:`, with no space between."""
        if outer != ANYWHERE:
            raise _bad(name.column, f"{name.text}: stands inside {outer}:( ... )", "close the parenthesis before it")
        behind = self.token
        if behind.kind not in ("word", "phrase", "(") or behind.column != name.column + len(name.text) + 1:
            if behind.kind in ("AND", "OR", "NOT") and behind.column == name.column + len(name.text) + 1:
                return self._leaf(self._take(), name.text)
            raise _bad(name.column, f"{name.text}: has no value", f"write it right behind the colon: {_EXAMPLES[name.text]}")
        return self._group(self._take(), name.text) if behind.kind == "(" else self._leaf(self._take(), name.text)

    def _leaf(self, token: _Token, field: str) -> Query:
        self._terms += max(1, len(token.text.split()))
        if self._terms > MOST_TERMS:
            raise _bad(token.column, f"a query has at most {MOST_TERMS} words", "leave some out")
        stem = self._stem(token)
        if field in _DATES:
            return _date(token, field, self._now)
        if field in _KEYS:
            return _key(token, field, stem)
        if token.kind == "phrase":
            found = asked.phrase(field, token.text)
        else:
            found = asked.word(field, stem or token.text, is_prefix=bool(stem))
        if found is None:
            raise _bad(token.column, f"{token.text!r} holds no letter and no digit to look for", "leave it out")
        return _checked(found, token)

    def _stem(self, token: _Token) -> str:
        """What stands before the `*` of a prefix; '' for anything else."""
        star = token.text.find("*")
        if token.kind == "phrase" or star < 0:
            return ""
        if star == 0:
            raise _bad(token.column, "* cannot begin a word", "write the first letters: auth*")
        if star < len(token.text) - 1:
            raise _bad(token.column + star, "* can only end a word", "write the first letters: auth*, or quote it")
        return token.text[:-1]


class _Deeper:
    """Counts how deep a query is nested: it is read, and searched, by recursion."""

    def __init__(self, parser: _Parser, column: int) -> None:
        self._parser, self._column = parser, column

    def __enter__(self) -> None:
        self._parser._depth += 1
        if self._parser._depth > DEEPEST:
            raise _bad(self._column, f"a query is at most {DEEPEST} parentheses and NOTs deep", "say it more simply")

    def __exit__(self, *_: object) -> None:
        self._parser._depth -= 1


_EXAMPLES = {
    "subject": "subject:auth", "body": 'body:"token expired"', "from": "from:GreenCastle", "to": "to:RedCat",
    "thread": "thread:br-123", "importance": "importance:high", "has": "has:ack", "is": "is:unread", "tag": "tag:HANDOFF",
    "path": "path:src/api", "id": "id:msg_20261122_7b3dc3a7", "before": "before:2026-11-22", "after": "after:3d",
    "on": "on:yesterday",
}  # fmt: skip


def _operator_mend(text: str) -> str:
    return "write what it joins" if text == "-" else f'write what it joins, or "{text.lower()}" for the word itself'


def _date(token: _Token, field: str, now: datetime) -> Query:
    found = between(field, token.text, now)
    if found is None:
        raise _bad(token.column, f"bad date {token.text!r}", f"use {FORMS}")
    return found


def _key(token: _Token, field: str, stem: str) -> Query:
    """An exact value of a field, or the beginning of one."""
    text = stem or token.text
    match field:
        case "is":
            return State(_one_of(token, field, STATES))
        case "has":
            return Term(KEYS, f"has:{_HAS[_one_of(token, field, tuple(_HAS))]}")
        case "importance":
            return Term(KEYS, f"importance:{_one_of(token, field, IMPORTANCE)}")
        case "path":
            text = normal_path(text)
        case "tag":
            text = text.strip("[]")
        case "from" | "to":
            text = text.lstrip("@")
    text = value(text)
    if not text:
        raise _bad(token.column, f"{field}: has no value", f"write it right behind the colon: {_EXAMPLES[field]}")
    if not stem:
        return Term(KEYS, f"{field}:{text}")
    return _checked(Prefix(KEYS, f"{field}:{text}"), token, len(text))


def _one_of(token: _Token, field: str, known: tuple[str, ...]) -> str:
    text = token.text.lower()
    if text not in known:
        meant = did_you_mean(text, known)
        raise _bad(token.column, f"{field}: cannot be {token.text!r}{meant}", f"use {', '.join(known)}")
    return text


def _checked(query: Query, token: _Token, length: int = 0) -> Query:
    for prefix in (query, *(query.parts if isinstance(query, And) else ())):
        if isinstance(prefix, Prefix) and (length or len(prefix.text)) < asked.SHORTEST_PREFIX:
            raise _bad(
                token.column,
                f"a prefix needs at least {asked.SHORTEST_PREFIX} characters before the *, {token.text!r} has fewer",
                "write more of the word",
            )
    return query


def _says_what(query: Query) -> bool:
    """False for what only leaves out: it would be answered with nearly everything."""
    match query:
        case And(parts):
            return any(map(_says_what, parts))
        case Or(parts):
            return all(map(_says_what, parts))
        case Not(part):
            return not _says_what(part)
        case _:
            return True
