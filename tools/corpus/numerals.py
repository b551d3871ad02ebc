"""Numbers in words, German and English."""

from __future__ import annotations

from tools.corpus.rows import words

_GERMAN = words(
    "null ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn"
    " sechzehn siebzehn"
    " achtzehn neunzehn"
)
_GERMAN_TENS = words("zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig")
_ENGLISH = words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    " sixteen seventeen"
    " eighteen nineteen"
)
_ENGLISH_TENS = words("twenty thirty forty fifty sixty seventy eighty ninety")


def german_number(number: int) -> str:
    """Return `number` (1 to 999) as one German word: 21 is einundzwanzig, 345 dreihundertfünfundvierzig."""
    if not 1 <= number <= 999:
        raise ValueError(f"number must be from 1 to 999, but is {number}")
    hundreds, rest = divmod(number, 100)
    head = _GERMAN[hundreds] + "hundert" if hundreds else ""
    if rest == 0:
        return head
    if rest == 1:
        return head + "eins"
    if rest < 20:
        return head + _GERMAN[rest]
    tens, units = divmod(rest, 10)
    return head + (_GERMAN[units] + "und" if units else "") + _GERMAN_TENS[tens - 2]


def english_number(number: int) -> str:
    """Return `number` (1 to 999) in English words: 21 is twenty-one, 345 three hundred and forty-five."""
    if not 1 <= number <= 999:
        raise ValueError(f"number must be from 1 to 999, but is {number}")
    hundreds, rest = divmod(number, 100)
    head = f"{_ENGLISH[hundreds]} hundred" if hundreds else ""
    if rest == 0:
        return head
    if rest < 20:
        tail = _ENGLISH[rest]
    else:
        tens, units = divmod(rest, 10)
        tail = _ENGLISH_TENS[tens - 2] + (f"-{_ENGLISH[units]}" if units else "")
    return f"{head} and {tail}" if head else tail
