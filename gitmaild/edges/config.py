"""Settings of a home: `config.yaml` and the environment, every key both ways. Only the command line and wiring ask."""

import math
import shlex
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from gitmaild.model.contact import POLICIES
from gitmaild.model.errors import MailError
from gitmaild.model.settings import Settings

_PREFIX = "GITMAILD_"
# Settings that are known by other names elsewhere.
_ALIASES = {
    "CONTACT_ENFORCEMENT_ENABLED": "contact_enforcement",
    "HTTP_PORT": "http_port",
    "HTTP_BEARER_TOKEN": "http_bearer_token",
    "HTTP_ALLOW_LOCALHOST_UNAUTHENTICATED": "http_allow_localhost_unauthenticated",
    "LLM_ENABLED": "llm_enabled",
}
# Those that are known elsewhere and mean nothing in the file: it is too late for them there, or nothing needs them.
_ELSEWHERE = {
    "STORAGE_ROOT": "is where this file lies; set it as an environment variable",
    "WORKTREES_ENABLED": "is not needed: all worktrees of a repository are one project",
    "AGENT_MAIL_GUARD_MODE": "is read by git hooks, from the environment alone",
}
# Variables that are ours and are not settings.
_OTHERS = frozenset({"HOME", "PROJECT", "AGENT", "GUARD_MODE", "LOG"})


class BadConfig(MailError):
    """A setting that cannot be used. All problems are reported at once."""

    code = "bad-config"


def load(path: Path, environment: Mapping[str, str]) -> tuple[Settings, list[str]]:
    """(settings, warnings). The environment wins over the file. Raises `BadConfig` with every key that is wrong."""
    given = {_ALIASES.get(key, key): value for key, value in (_file(path) if path.exists() else {}).items()}
    warnings = [_ignored(path, key, value) for key, value in given.items() if key not in _KEYS]
    warnings = [warning for warning in warnings if warning]
    given |= {key: environment[name] for name, key in _ALIASES.items() if name in environment}
    for name in environment:
        key = name.removeprefix(_PREFIX).lower()
        if name.startswith(_PREFIX) and key.upper() not in _OTHERS:
            if key in _KEYS:
                given[key] = environment[name]
            else:
                warnings.append(f"unknown variable {name} is ignored")
    problems: list[str] = []
    values: dict[str, Any] = {}
    for key in given.keys() & _KEYS.keys():
        try:
            values[key] = _convert(key, given[key])
        except ValueError as error:
            problems.append(f"{key}: {error}")
    if problems:
        raise BadConfig("; ".join(sorted(problems)))
    return replace(Settings(), **values), warnings


def _ignored(path: Path, key: str, value: Any) -> str:
    """What to say of a key that changes nothing; '' where it says what is so anyway."""
    if key not in _ELSEWHERE:
        return f"{path.name}: unknown setting {key!r} is ignored"
    if key == "STORAGE_ROOT":
        is_so = Path(str(value)).expanduser().absolute() == path.parent.absolute()
    else:
        is_so = key == "WORKTREES_ENABLED" or value == "block"
    return "" if is_so else f"{path.name}: {key} {_ELSEWHERE[key]}"


# Settings that are one of a few words.
_WORDS = {
    "names": ("camelcase", "wordlist"),
    "search_engine": ("whoosh", "fts5"),
    "contact_policy": POLICIES,
    "cross_project_policy": POLICIES,
}

_KEYS = {field.name: type(getattr(Settings(), field.name)) for field in fields(Settings)}


def _file(path: Path) -> dict[str, Any]:
    import yaml  # noqa: PLC0415 - most homes have no config file

    if path.stat().st_size > 1 << 20:
        raise BadConfig(f"{path}: over 1 MiB")
    try:
        loaded = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, OSError) as error:  # ValueError: a date that is none, a number of 5000 digits
        raise BadConfig(f"{path}: {error}") from error
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise BadConfig(f"{path}: write key: value lines")
    given = {str(key): value for key, value in loaded.items()}
    search = given.get("search")
    if isinstance(search, dict) and set(search) == {"engine"}:
        given["search.engine"] = given.pop("search")["engine"]
    if "search.engine" in given:
        given["search_engine"] = given.pop("search.engine")
    return given


def _convert(key: str, value: Any) -> Any:
    kind = _KEYS[key]
    if kind is bool:
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if str(value).lower() not in words:
            raise ValueError(f"{value!r} is neither true nor false")
        return words[str(value).lower()]
    if key in _WORDS and value not in _WORDS[key]:
        raise ValueError(f"{value!r} is not {' or '.join(_WORDS[key])}")
    if kind is str:
        return str(value)
    return _words(value) if kind is tuple else _number(key, value)


def _words(value: Any) -> tuple[str, ...]:
    """A program and its arguments: a list, or words as a shell parts them."""
    words = shlex.split(value) if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValueError(f"{value!r} is not a list of words")
    return tuple(words)


def _number(key: str, value: Any) -> Any:
    kind = _KEYS[key]
    try:
        converted = kind(value)
        usable = math.isfinite(converted) and not isinstance(value, bool)
    except (TypeError, ValueError, OverflowError):
        usable = False
    if not usable:
        raise ValueError(f"{value!r} is not a number")
    if isinstance(value, float) and value != converted:
        raise ValueError(f"{value!r} is not a whole number")
    if converted <= 0:
        raise ValueError(f"{value!r} is not above zero")
    if key == "http_port" and converted > 65535:
        raise ValueError(f"{value!r} is not a port")
    return converted
