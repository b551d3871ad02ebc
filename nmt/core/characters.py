"""Which characters leave no mark on the page, and so which lines are blank."""

from __future__ import annotations

import re

# Control characters; what Unicode calls format characters (soft hyphen, zero-width ones, marks of direction, byte order
# mark; without the signs of Arabic, Syriac and Kaithi that stand around numbers and are seen),
# what it lets every font ignore (joiners, fillers, selectors of variants), and letters that are drawn as a blank.
_UNSEEN = (
    "\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U00013430-\U0001343f\U00016fe4\U0001bca0-\U0001bca3\U0001d159"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_SEEN = re.compile(rf"[^\s{_UNSEEN}]")


def is_blank(line: str) -> bool:
    r"""Whether a line has no visible character: it is empty, or all of it is white space or leaves no mark.

    The one answer of this project: what is blank is not trained on, is translated to nothing and has no links.

    >>> is_blank("\u200b \ufeff"), is_blank("a")
    (True, False)
    """
    return _SEEN.search(line) is None
