"""What the guard says. Paths, reasons and names come from others: a terminal is given nothing of them that it would obey."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitmaild.adapters.guard.program import Gate
    from gitmaild.rules.guard import Finding, Judgement

# A daemon that lives touches the view every three seconds.
OFFLINE = 10.0
# Leases that are told in full.
_MOST = 10
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./_-")
_WILD = frozenset("*?[]{}\\!#")

_BYPASS = {
    "pre-commit": "Use --no-verify to bypass (not recommended)",
    "pre-push": "Use --no-verify to bypass (not recommended)",
    "reference-transaction": "Use git -c core.hooksPath=/dev/null to bypass (not recommended)",
    # Git's configured hooks run whatever core.hooksPath says.
    "configured": "Use git -c hook.gitmaild-guard-reference-transaction.enabled=false to bypass (not recommended)",
    "check": "Edit other files until then",
}


def bypass(event: str, environ: dict[str, str]) -> str:
    """The last of the options: how this very hook is gone past."""
    is_configured = event == "reference-transaction" and environ.get("GITMAILD_GUARD_EVENT")
    return _BYPASS["configured" if is_configured else event]


def spoken(gate: "Gate", said: "Judgement", now: float) -> list[str]:
    """The lines for stderr, none where there is nothing to say."""
    lines: list[str] = []
    for finding in said.blocked[:_MOST]:
        lines += conflict(finding, gate.bypass, now, is_warning=gate.is_warning)
    if len(said.blocked) > _MOST:
        lines.append(f"and {_count(len(said.blocked) - _MOST, 'more reservation')} of others")
    if said.blocked and gate.is_warning:
        lines.append("The guard's mode is warn: this goes on all the same.")
    if gate.event != "reference-transaction":  # it comes after pre-commit, and would say the same again
        lines += [_read_only(finding) for finding in said.read_only[:_MOST]]
        lines += [_shared(finding) for finding in said.shared[:_MOST]]
    if lines or gate.event != "reference-transaction":
        lines += [show(note) for note in gate.notes]
    if said.blocked and not gate.who:
        holder = quote(said.blocked[0].row.holder)
        lines.append(f"The guard takes you for a person; if you are {holder}: git config gitmaild.agent {holder}")
    if lines and gate.age > OFFLINE:
        lines.append(f"offline view, age {_age(gate.age)}")
    return lines


def conflict(finding: "Finding", bypass: str, now: float, *, is_warning: bool) -> list[str]:
    """Who holds it, for how long, and the remedies."""
    row, path = finding.row, finding.path
    reason = f", reason {show(row.reason)}" if row.reason else ""
    lines = [
        f"{'WARNING' if is_warning else 'BLOCKED'}: File '{show(path)}' reserved by {show(row.holder)}",
        f"FILE_RESERVATION_CONFLICT: pattern '{show(row.pattern)}', lease {show(row.lease_id)}{reason}",
        f"Reservation expires in: {duration(seconds(row.expires) - now)}",
    ]
    if finding.more:
        lines.append(f"and {_count(finding.more, 'more file')} of the same reservation")
    subject = quote(f"May I have {show(path)}?")
    return [
        *lines,
        "Options:",
        f"  1. Wait for the reservation to expire, or queue for it: gitmaild reserve {_pattern(path)} --wait 3600",
        f"  2. Contact {show(row.holder)}: gitmaild send --to {quote(row.holder)} --subject {subject}",
        *([] if is_warning else [f"  3. {bypass}"]),
    ]


def blind(problem: str, bypass: str, *, is_warning: bool) -> list[str]:
    """That the guard cannot decide, and the ways out."""
    ways = [
        "Start the daemon, or let it make one pass: gitmaild serve --once",
        "Make the view anew from the mailbox: gitmaild rebuild",
        "Take the guard away: gitmaild guard remove",
        *([] if is_warning else [bypass]),
    ]
    head = "WARNING" if is_warning else "BLOCKED"
    return [
        f"{head}: the guard cannot tell who holds what: {show(problem)}",
        "Ways out:",
        *(f"  {number}. {way}" for number, way in enumerate(ways, 1)),
    ]


def _read_only(finding: "Finding") -> str:
    return (
        f"WARNING: File '{show(finding.path)}'{_rest(finding)}: your shared lease is for reading; to write: "
        f"gitmaild reserve {_pattern(finding.path)} (shared lease is read-only)"
    )


def _shared(finding: "Finding") -> str:
    row = finding.row
    return (
        f"WARNING: File '{show(finding.path)}'{_rest(finding)} is being read by {show(row.holder)} "
        f"(shared, pattern '{show(row.pattern)}', lease {show(row.lease_id)})"
    )


def _rest(finding: "Finding") -> str:
    return f" and {_count(finding.more, 'more file')}" if finding.more else ""


def show(text: str) -> str:
    """`text` on one line, with what a terminal would obey, and bytes that are no text, escaped."""
    return text if text.isprintable() else "".join(c if c.isprintable() else _escape(c) for c in text)


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def quote(text: str) -> str:
    """`text` as one word of a shell, printable whatever it is."""
    if not text.isprintable():
        data = text.encode("utf-8", "surrogateescape")
        plain = (chr(c) if 0x20 <= c < 0x7F and c not in b"'\\" else f"\\x{c:02x}" for c in data)
        return "$'" + "".join(plain) + "'"
    if text and _PLAIN.issuperset(text):
        return text
    return "'" + text.replace("'", "'\\''") + "'"


def _pattern(path: str) -> str:
    """This very path as a pattern, for a command line."""
    literal = f":(literal){path}" if not _WILD.isdisjoint(path) or path.startswith((":", "-")) else path
    return quote(literal)


def seconds(expires: str) -> float:
    """The stamp of a view as seconds since 1970; 0.0 where it is no time."""
    from datetime import datetime  # noqa: PLC0415 - 1 ms that a commit which passes does not pay

    try:
        return datetime.fromisoformat(expires).timestamp()
    except ValueError:
        return 0.0


def duration(left: float) -> str:
    """`45 minutes`, `1 hour 5 minutes`, `3 days 4 hours`: rounded up, so that waiting that long is enough."""
    whole = -int(-left // 1) if left > 0 else 0
    if whole < 60:
        return _count(whole, "second")
    minutes = -(-whole // 60)
    if minutes < 60:
        return _count(minutes, "minute")
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return _count(hours, "hour") + (f" {_count(minutes, 'minute')}" if minutes else "")
    days, hours = divmod(hours, 24)
    return _count(days, "day") + (f" {_count(hours, 'hour')}" if hours else "")


def _age(age: float) -> str:
    return f"{int(age)} s" if age < 120 else duration(int(age / 60) * 60)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
