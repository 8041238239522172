"""Templates into HTML. Everything that is not markdown is escaped; a name that a template does not know is an error."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from gitmaild.adapters.web.markdown import markdown
from gitmaild.adapters.web.words import clock, day, hue, initials, moment, snippet, span

HERE = Path(__file__).parent


def render(template: str, now: datetime, **shown: Any) -> str:
    """A page. `now` is what ages are told by."""
    return _environment.get_template(template).render(now=now, ago=_ago_at(now), **shown)


def _ago_at(now: datetime) -> Callable[[str], Markup]:
    def ago(stamp: str) -> Markup:
        """How long ago, as an element that the page's script keeps right."""
        at = moment(stamp)
        if at is None:
            return Markup('<span class="dim">never</span>')
        shown = Markup('<time datetime="{}" title="{}">{}</time>')
        return shown.format(stamp, f"{at:%Y-%m-%d %H:%M:%S} UTC", span((now - at).total_seconds()))

    return ago


def _path(text: str) -> str:
    return quote(text, safe="")


_environment = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_environment.filters |= {
    "markdown": lambda text: Markup(markdown(text)),
    "hue": hue,
    "initials": initials,
    "snippet": snippet,
    "day": day,
    "clock": clock,
    "span": span,
    "path": _path,
}
