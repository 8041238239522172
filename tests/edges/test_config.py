"""Settings by file and by environment."""

import contextlib
import shlex
from dataclasses import asdict, fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitmaild.edges.config import BadConfig, load
from gitmaild.model.settings import Settings

VALUES: dict[type, object] = {int: 7, float: 1.5, bool: True, str: "wordlist", tuple: ("claude", "-p x")}
OTHER = {field.name: VALUES[type(getattr(Settings(), field.name))] for field in fields(Settings)} | {
    "search_engine": "fts5",
    "contact_enforcement": False,
    "contact_policy": "auto",
    "cross_project_policy": "open",
}


def written(value: object) -> str:
    return shlex.join(value) if isinstance(value, tuple) else str(value)


def test_without_file_or_environment_everything_is_as_it_comes(tmp_path: Path) -> None:
    assert load(tmp_path / "config.yaml", {"HOME": "/x", "PATH": "/bin"}) == (Settings(), [])


def test_a_file_without_a_line_says_nothing(tmp_path: Path) -> None:
    for text in ("", "# scan_seconds: 5\n", "---\n"):
        (tmp_path / "config.yaml").write_text(text)
        assert load(tmp_path / "config.yaml", {}) == (Settings(), [])


@pytest.mark.parametrize("key", OTHER)
def test_every_key_is_set_by_the_file(tmp_path: Path, key: str) -> None:
    (tmp_path / "config.yaml").write_text(f"{key}: {written(OTHER[key])}\n")
    loaded, warnings = load(tmp_path / "config.yaml", {})
    assert (asdict(loaded), warnings) == ({**asdict(Settings()), key: OTHER[key]}, [])
    assert type(getattr(loaded, key)) is type(OTHER[key])


@pytest.mark.parametrize("key", OTHER)
def test_every_key_is_set_by_the_environment_which_wins_over_the_file(tmp_path: Path, key: str) -> None:
    default = getattr(Settings(), key)
    (tmp_path / "config.yaml").write_text(f"{key}: {default}\n")
    loaded, warnings = load(tmp_path / "config.yaml", {f"GITMAILD_{key.upper()}": written(OTHER[key])})
    assert (asdict(loaded), warnings) == ({**asdict(Settings()), key: OTHER[key]}, [])


def test_all_wrong_values_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("message_limit: lots\nscan_seconds: 5\nallow_network_fs: perhaps\nnames: any\n")
    with pytest.raises(BadConfig) as caught:
        load(tmp_path / "config.yaml", {"GITMAILD_BATCH_FILES": "-1", "GITMAILD_SUBJECT_LIMIT": ""})
    assert str(caught.value).split("; ") == [
        "allow_network_fs: 'perhaps' is neither true nor false",
        "batch_files: '-1' is not above zero",
        "message_limit: 'lots' is not a number",
        "names: 'any' is not camelcase or wordlist",
        "subject_limit: '' is not a number",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "message_limit: 0",
        "message_limit: -5",
        "message_limit: yes",
        "message_limit: 1.5",
        "message_limit:",
        "message_limit: [1]",
        "message_limit: {a: 1}",
        "message_limit: 2026-01-01",
        "message_limit: .inf",
        "message_limit: .nan",
        "message_limit: " + "9" * 400,
        "message_limit: '" + "9" * 5000 + "'",
        "scan_seconds: .nan",
        "scan_seconds: .inf",
        "scan_seconds: 1e999",
        "scan_seconds: " + "9" * 400,
        "scan_seconds: true",
        "scan_seconds: 0.0",
        "scan_seconds: 'inf'",
        "names: 5",
        "names: [camelcase]",
        "names:",
        "search_engine: lucene",
        "search_engine: [fts5]",
        "search: {engine: lucene}",
        "allow_network_fs: 2",
        "allow_network_fs: []",
    ],
)
def test_a_value_that_could_not_be_lived_with_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "config.yaml").write_text(line + "\n")
    with pytest.raises(BadConfig, match=line.partition(":")[0]):
        load(tmp_path / "config.yaml", {})


@pytest.mark.parametrize("text", ["true", "True", "TRUE", "yes", "Yes", "1", "on"])
def test_yes_is_said_in_several_ways(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.yaml").write_text(f"allow_network_fs: {text}\n")
    assert load(tmp_path / "config.yaml", {})[0].allow_network_fs is True


@pytest.mark.parametrize(
    "text", ["search_engine: fts5", "search.engine: fts5", "search: {engine: fts5}", "search:\n  engine: fts5"]
)
def test_the_search_engine_is_named_in_several_ways(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.yaml").write_text(text + "\n")
    assert load(tmp_path / "config.yaml", {}) == (Settings(search_engine="fts5"), [])


def test_whole_numbers_may_be_written_as_such(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("message_limit: 1_000\nscan_seconds: 5\nbatch_files: 8.0\n")
    loaded, _ = load(tmp_path / "config.yaml", {})
    assert (loaded.message_limit, loaded.scan_seconds, loaded.batch_files) == (1000, 5.0, 8)


def test_unknown_keys_and_variables_are_told_and_passed_over(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("scan_second: 5\nScan_Seconds: 5\n1: 2\n")
    environment = {"GITMAILD_SCAN": "5", "GITMAILD_HOME": "/x", "GITMAILD_PROJECT": "shop", "GITMAILD_AGENT": "RedCat"}
    loaded, warnings = load(tmp_path / "config.yaml", environment | {"GITMAILD_GUARD_MODE": "warn", "SCAN_SECONDS": "9"})
    assert loaded == Settings()
    assert warnings == [
        "config.yaml: unknown setting 'scan_second' is ignored",
        "config.yaml: unknown setting 'Scan_Seconds' is ignored",
        "config.yaml: unknown setting '1' is ignored",
        "unknown variable GITMAILD_SCAN is ignored",
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"- a\n- b\n",
        b"just words\n",
        b"5\n",
        b"a: [\n",
        b"a: !!python/object/apply:os.system [true]\n",
        b"\xff\xfe\x00",
        b"a: 2026-13-45\n",
        b"a: *b\n",
        b"a: 1\n" * 300_000,
        b"? [a]\n: b\n",
        b"x: " + b"9" * 5000 + b"\n",
        b"\0",
    ],
    ids=range(12),
)
def test_a_file_that_is_no_list_of_settings_is_refused_with_its_name(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "config.yaml").write_bytes(data)
    with pytest.raises(BadConfig, match=r"config\.yaml"):
        load(tmp_path / "config.yaml", {})


def test_a_directory_of_that_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").mkdir()
    with pytest.raises(BadConfig, match=r"config\.yaml"):
        load(tmp_path / "config.yaml", {})


@given(data=st.binary(max_size=60))
def test_no_bytes_at_all_break_more_than_themselves(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(b"scan_seconds: " + data)
    with contextlib.suppress(BadConfig):
        load(path, {})


def test_a_program_is_a_list_or_words(tmp_path: Path) -> None:
    for text in ('["claude", "-p x"]', "claude '-p x'", "\n- claude\n- -p x"):
        (tmp_path / "config.yaml").write_text(f"summarizer: {text}\n")
        assert load(tmp_path / "config.yaml", {})[0].summarizer == ("claude", "-p x")
    for text in ("[1, 2]", "{a: b}", "5", "claude 'x"):
        (tmp_path / "config.yaml").write_text(f"summarizer: {text}\n")
        with pytest.raises(BadConfig, match="summarizer"):
            load(tmp_path / "config.yaml", {})


# --- the settings of Agent Mail

AGENT_MAIL = """# Environment variables for Agent Mail
STORAGE_ROOT: ~/.mcp_agent_mail_git_mailbox_repo
HTTP_PORT: 8765
HTTP_BEARER_TOKEN: your-secret-token-here
HTTP_ALLOW_LOCALHOST_UNAUTHENTICATED: false  # Set true for dev only
LLM_ENABLED: true                             # AI for thread summaries
CONTACT_ENFORCEMENT_ENABLED: true             # Enforce contact policies
WORKTREES_ENABLED: 0                          # Git worktree support
AGENT_MAIL_GUARD_MODE: block                  # block or warn
"""


def test_the_settings_block_of_agent_mail_is_taken_as_it_is(tmp_path: Path) -> None:
    """Row 108. What cannot have its meaning here, because it says where this file is, is said so."""
    (tmp_path / "config.yaml").write_text(AGENT_MAIL)
    loaded, warnings = load(tmp_path / "config.yaml", {})
    assert loaded == replace(Settings(), http_bearer_token="your-secret-token-here")
    assert warnings == ["config.yaml: STORAGE_ROOT is where this file lies; set it as an environment variable"]


def test_each_of_those_settings_has_its_effect(tmp_path: Path) -> None:
    text = AGENT_MAIL.replace("8765", "9000").replace("false", "yes").replace("true", "no").replace("block", "warn", 1)
    (tmp_path / "config.yaml").write_text(text.replace("~/.mcp_agent_mail_git_mailbox_repo", str(tmp_path)))
    loaded, warnings = load(tmp_path / "config.yaml", {"HTTP_BEARER_TOKEN": "another"})
    assert (loaded.http_port, loaded.http_allow_localhost_unauthenticated, loaded.llm_enabled) == (9000, True, False)
    assert (loaded.contact_enforcement, loaded.http_bearer_token) == (False, "another")
    assert warnings == ["config.yaml: AGENT_MAIL_GUARD_MODE is read by git hooks, from the environment alone"]


def test_a_port_is_one(tmp_path: Path) -> None:
    for value in ("0", "65536", "tcp://10.0.0.1:80", "yes"):
        with pytest.raises(BadConfig, match="http_port"):
            load(tmp_path / "config.yaml", {"HTTP_PORT": value})


def test_a_bearer_token_is_never_shown(tmp_path: Path) -> None:
    loaded, _ = load(tmp_path / "config.yaml", {"HTTP_BEARER_TOKEN": "your-secret-token-here"})
    assert "your-secret" not in repr(loaded)
