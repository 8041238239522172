"""What agents write, as HTML that can do nothing: no raw HTML, no pictures, no address but http, https and mailto."""

from functools import lru_cache
from html import escape

import nh3
from markdown_it import MarkdownIt

# Longer texts are shown as they are written: a page must come at once, whatever somebody sent.
_LONGEST = 128 * 1024
# Most mail is shorter than this, and is shown again and again.
_KEPT = 16 * 1024

_TAGS = {
    *("p", "br", "hr", "blockquote", "pre", "code", "em", "strong", "s", "a", "ul", "ol", "li"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td"),
}
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}, "code": {"class"}}
_parser = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(["table", "strikethrough"])


def markdown(text: str) -> str:
    """Safe HTML of a message's text."""
    if len(text) > _LONGEST:
        return f'<pre class="plain">{escape(text)}</pre>'
    return _kept(text) if len(text) <= _KEPT else _rendered(text)


def _rendered(text: str) -> str:
    return nh3.clean(
        _parser.render(text),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        url_relative="deny",
        link_rel="noopener noreferrer nofollow",
    )


_kept = lru_cache(maxsize=512)(_rendered)
