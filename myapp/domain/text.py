"""The rules of text: one spelling for what looks the same.

Sources: Unicode Standard Annex #15 (NFC, and section 13, Stream-Safe Text) and the
Unicode Standard, section 3.13 (default case folding, untailored).
"""

import re
import unicodedata

from myapp.domain.errors import InvalidValue

STREAM_SAFE_RUN = 30
"""UAX #15: no text that people write has longer runs of combining marks."""

_UNUSUAL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_LINE_BREAK = re.compile(r"\r\n?|[\u2028\u2029]")
_LONGEST_DECOMPOSITION = 4
_SORTS_QUICKLY = 1_000
_COMPOSED_MARKS = "\u0f73\u0f75\u0f81"  # of class 0, though they decompose into marks


def normalise(text: str, *, field: str, most: int, lines: bool = False) -> str:
    """Answer the text in NFC, trimmed, every line break a line feed.

    Raises InvalidValue for lone surrogates, control characters, more than `most` code
    points and, unless `lines` are allowed, for line breaks and tabs inside.
    """
    if not (text.isascii() and text.isprintable()):
        if _UNUSUAL.search(text):
            text = _visible(text, field)
        text = _composed(text.strip(), field, most)
    text = text.strip()
    if not lines and ("\n" in text or "\t" in text):
        raise InvalidValue(field, "must be one line, without line breaks or tabs")
    if len(text) > most:
        raise InvalidValue(field, f"must have {most:,} characters at most")
    return text


def fold(text: str) -> str:
    """Answer what search and sorting compare: NFC(casefold(NFC(text)))."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFC", text).casefold()
    return unicodedata.normalize("NFC", folded)


def _visible(text: str, field: str) -> str:
    if _SURROGATE.search(text):
        raise InvalidValue(field, "must not contain lone surrogates")
    text = _LINE_BREAK.sub("\n", text)
    if _UNUSUAL.search(text):
        raise InvalidValue(field, "must not contain control characters")
    return text


def _composed(text: str, field: str, most: int) -> str:
    if len(text) > most * _LONGEST_DECOMPOSITION:
        raise InvalidValue(field, f"must have {most:,} characters at most")
    _check_stream_safe(text, field)
    text = unicodedata.normalize("NFC", text)
    _check_stream_safe(text, field)  # so that what was accepted is accepted again
    return text


def _check_stream_safe(text: str, field: str) -> None:
    """Refuse long runs of combining marks in long texts.

    Composition sorts them in quadratic time: seconds for 64,000 of them.
    """
    if len(text) <= _SORTS_QUICKLY:
        return
    run = 0
    for character in text:
        is_mark = unicodedata.combining(character) or character in _COMPOSED_MARKS
        run = run + 1 if is_mark else 0
        if run > STREAM_SAFE_RUN:
            rule = f"must not stack more than {STREAM_SAFE_RUN} combining marks"
            raise InvalidValue(field, rule)
