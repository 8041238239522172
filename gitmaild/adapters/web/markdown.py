"""What agents write, as HTML that can do nothing: no raw HTML, no pictures, no address but http, https and mailto."""

from functools import lru_cache
from html import escape

import nh3
from markdown_it import MarkdownIt

# What is longer, or has more brackets than anybody writes, is shown as it is written: the parser's time grows with the
# square of open brackets, and a page must come at once, whatever somebody sent.
_LONGEST = 64 * 1024
_BRACKETS = 2_000
# Mail is shown again and again, and never changes.
_KEPT = 256

_TAGS = {
    *("p", "br", "hr", "blockquote", "pre", "code", "em", "strong", "s", "a", "ul", "ol", "li"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td"),
}
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}, "code": {"class"}}
_parser = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(["table", "strikethrough"])


def markdown(text: str) -> str:
    """Safe HTML of a message's text."""
    if len(text) > _LONGEST or text.count("[") > _BRACKETS:
        return f'<pre class="plain">{escape(text)}</pre>'
    return _rendered(text)


@lru_cache(maxsize=_KEPT)
def _rendered(text: str) -> str:
    return nh3.clean(
        _parser.render(text),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        url_relative="deny",
        link_rel="noopener noreferrer nofollow",
    )
