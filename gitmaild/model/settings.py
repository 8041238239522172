"""Limits and habits of one home. Sizes are bytes, times are seconds."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Settings:
    # What a sender may drop.
    front_matter_limit: int = 8 * 1024
    message_limit: int = 256 * 1024
    recipient_limit: int = 100
    attachment_limit: int = 10 * 1024 * 1024
    attachments_limit: int = 25 * 1024 * 1024
    subject_limit: int = 200
    ack_longest: int = 90 * 24 * 3600
    names: str = "camelcase"
    # What may be held, and for how long.
    lease_seconds: int = 3600
    lease_longest: int = 7 * 24 * 3600
    lease_patterns: int = 100
    leases_per_agent: int = 1000
    lease_warning: int = 300
    # Who may write to whom: see `model.contact`.
    contact_enforcement: bool = True
    contact_policy: str = "open"
    cross_project_policy: str = "contacts_only"
    contact_days: int = 7
    held_seconds: int = 7 * 24 * 3600
    held_per_contact: int = 50
    dnd_longest: int = 24 * 3600
    hop_limit: int = 4
    # Who may bind roles and edit groups, queues and boards: names, roles, groups, or everyone. The Overseer always may.
    directory_editors: tuple[str, ...] = ()
    claim_seconds: int = 3600
    board_keep: int = 100
    # How the daemon works.
    batch_files: int = 256
    batch_bytes: int = 4 * 1024 * 1024
    scan_seconds: float = 3.0
    quiet_seconds: float = 0.03
    still_seconds: float = 0.5
    open_seconds: float = 30.0
    audit_seconds: float = 60.0
    repack_packs: int = 200
    repack_seconds: float = 30.0
    allow_network_fs: bool = False
    search_engine: str = "whoosh"  # or fts5
    # What puts a conversation in short, if anything: a program and its arguments. It reads standard input.
    summarizer: tuple[str, ...] = ()
    summarizer_seconds: float = 120.0
    llm_enabled: bool = True
    # The HTTP door. Without a token of its own, the one in state/token. `http_hosts`: more names that it may be called by.
    http_host: str = "127.0.0.1"
    http_port: int = 8765
    http_bearer_token: str = field(default="", repr=False)
    http_allow_localhost_unauthenticated: bool = False
    http_hosts: tuple[str, ...] = ()
    http_body_limit: int = 4 * 1024 * 1024
    http_header_limit: int = 16 * 1024
    http_header_seconds: float = 10.0
    http_body_seconds: float = 30.0
    http_connections: int = 256
    http_threads: int = 16
    http_failures: int = 10  # wrong tokens a minute from one address
    tls_cert: str = ""
    tls_key: str = ""
    # How much of the past a mirror shows.
    mirror_newest: int = 500
    mirror_threads: int = 500
    thread_messages: int = 200
    thread_bytes: int = 1024 * 1024
