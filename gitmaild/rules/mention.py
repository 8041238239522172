"""Does a text name an id? As a whole: `br-12` is not in `br-123`, nor in `br-12.1`, and is in `[br-12]` and `br-12.`

What is no id at all is named nowhere.
"""

import re


def mentions(text: str, an_id: str) -> bool:
    whole = rf"(?<![A-Za-z0-9_.-]){re.escape(an_id)}(?![A-Za-z0-9_-]|\.[A-Za-z0-9])"
    return an_id != "" and re.search(whole, text) is not None
