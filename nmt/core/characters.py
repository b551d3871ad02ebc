"""Which characters are invisible, and therefore which lines are blank."""

from __future__ import annotations

import re

# Control characters; Unicode format characters (soft hyphen, zero-width ones, direction marks, byte order mark), except
# the visible number signs of Arabic, Syriac and Kaithi; default-ignorable characters (joiners, fillers, variation
# selectors); and letters that are drawn as a blank.
_UNSEEN = (
    "\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U00013430-\U0001343f\U00016fe4\U0001bca0-\U0001bca3\U0001d159"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_SEEN = re.compile(rf"[^\s{_UNSEEN}]")


def is_blank(line: str) -> bool:
    r"""Whether a line has no visible character: it is empty, or holds only white space and invisible characters.

    The whole project uses this test: a blank line is not trained on, is translated to nothing and has no links.

    >>> is_blank("\u200b \ufeff"), is_blank("a")
    (True, False)
    """
    return _SEEN.search(line) is None
