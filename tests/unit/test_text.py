"""The rules of text: normalising and folding."""

import unicodedata
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myapp.domain.errors import InvalidValue
from myapp.domain.text import STREAM_SAFE_RUN, fold, normalise

ACUTE = "\N{COMBINING ACUTE ACCENT}"
DOT_BELOW = "\N{COMBINING DOT BELOW}"
DIALYTIKA_TONOS = "\N{COMBINING GREEK DIALYTIKA TONOS}"  # NFC makes two marks of it
TIBETAN_II = "\N{TIBETAN VOWEL SIGN II}"  # and of this one, which is none itself
FOUR_IN_ONE = "\N{GREEK SMALL LETTER ALPHA WITH PSILI AND VARIA AND YPOGEGRAMMENI}"
TWO_OF_ONE = "\N{DEVANAGARI LETTER QA}"  # which NFC takes apart

CONTROLS = [
    chr(code) for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n\r"
]

TEXTS = st.text(
    st.one_of(
        st.characters(),  # surrogates included
        st.sampled_from(f"aB \t\n\r\u2028\u2029\x00\x85\u3000{ACUTE}{DOT_BELOW}"),
        st.sampled_from(f"İıßẞΣς\N{COMBINING GREEK YPOGEGRAMMENI}{FOUR_IN_ONE}{TWO_OF_ONE}"),
        st.sampled_from(f"{DIALYTIKA_TONOS}{TIBETAN_II}ᄒ\u1161\u11abﾊ😀𐐀"),
    ),
    max_size=60,
)


def one_line(text: str, *, most: int = 10) -> str:
    """Normalise a text that has one line."""
    return normalise(text, field="content", most=most)


def lines(text: str, *, most: int = 10) -> str:
    """Normalise a text that may have several lines."""
    return normalise(text, field="notes", most=most, lines=True)


@pytest.mark.parametrize(
    ("text", "normalised"),
    [
        ("", ""),
        ("milk", "milk"),
        ("a  b", "a  b"),
        ("  milk  ", "milk"),
        ("\t\r\n milk \n\t", "milk"),
        ("\u2028milk\u2029", "milk"),
        ("\u3000milk\u00a0\u2003", "milk"),
        (" \n ", ""),
        ("e" + ACUTE, "é"),
        ("o\u0302" + DOT_BELOW, "ộ"),
        ("q\u0307" + DOT_BELOW, f"q{DOT_BELOW}\u0307"),
        ("\u1112\u1161\u11ab", "한"),
        ("\N{ANGSTROM SIGN}", "Å"),
        (" é", "é"),
        ("ﬁ ² ﾊ", "ﬁ ² ﾊ"),
        ("a\N{EN QUAD}b", "a\N{EN SPACE}b"),
        ("\N{ZERO WIDTH JOINER}", "\N{ZERO WIDTH JOINER}"),
        ("👩\u200d🚀", "👩\u200d🚀"),
    ],
)
def test_a_text_is_composed_and_trimmed(text: str, normalised: str) -> None:
    assert one_line(text) == normalised
    assert lines(text) == normalised


@pytest.mark.parametrize(
    ("text", "normalised"),
    [
        ("a\nb", "a\nb"),
        ("a\r\nb", "a\nb"),
        ("a\rb", "a\nb"),
        ("a\u2028b", "a\nb"),
        ("a\u2029b", "a\nb"),
        ("a\r\r\nb", "a\n\nb"),
        ("a\n\rb", "a\n\nb"),
        ("a\r\n\r\nb\r\n", "a\n\nb"),
        ("a\tb", "a\tb"),
        ("é\r\n😀", "é\n😀"),
    ],
)
def test_every_line_break_becomes_a_line_feed_where_lines_are_allowed(
    text: str, normalised: str
) -> None:
    assert lines(text) == normalised
    with pytest.raises(InvalidValue, match="one line"):
        one_line(text)


@pytest.mark.parametrize("control", CONTROLS, ids=ascii)
def test_control_characters_are_refused_wherever_they_stand(control: str) -> None:
    for text in (control, f"a{control}", f"{control}a", f"a{control}b", f"é{control}é"):
        for normalised in (one_line, lines):
            with pytest.raises(InvalidValue, match="control characters"):
                normalised(text)


@pytest.mark.parametrize("text", ["\ud800", "a\udfff", "\udc80b", "\ud83d\ude00", "\r\ud800"])
def test_lone_surrogates_are_refused(text: str) -> None:
    for normalised in (one_line, lines):
        with pytest.raises(InvalidValue, match="lone surrogates"):
            normalised(text)


@pytest.mark.parametrize(
    "text",
    [
        "x" * 10,
        "é" * 10,
        "😀" * 10,
        " " * 100 + "x" * 10 + "\n" * 100,
        ("e" + ACUTE) * 10,
        "x" * 9 + " " + "\t",
        TWO_OF_ONE * 5,
        unicodedata.normalize("NFD", FOUR_IN_ONE) * 10,
        "\u3000" * 1_000_000 + "é",
    ],
    ids=range(9),
)
def test_a_text_may_have_as_many_code_points_as_the_limit_once_normalised(text: str) -> None:
    assert len(one_line(text)) <= 10
    assert one_line(text) == lines(text)


@pytest.mark.parametrize(
    "text",
    [
        "x" * 11,
        "é" * 11,
        "😀" * 11,
        "x" + " " * 9 + "x",
        ("e" + ACUTE) * 11,
        TWO_OF_ONE * 6,
        unicodedata.normalize("NFD", FOUR_IN_ONE) * 11,
        "é" * 1_000_000,
    ],
    ids=range(8),
)
def test_a_text_with_more_code_points_than_the_limit_is_refused(text: str) -> None:
    for normalised in (one_line, lines):
        with pytest.raises(InvalidValue, match="10 characters at most"):
            normalised(text)


def test_a_line_break_counts_as_one_code_point() -> None:
    assert lines("a\r\n" * 5 + "\u2028x", most=12) == "a\n" * 5 + "\nx"
    with pytest.raises(InvalidValue):
        lines("a\r\n" * 5 + "\u2028xx", most=12)


def test_a_refusal_names_the_field_and_the_limit() -> None:
    with pytest.raises(InvalidValue) as caught:
        normalise("x" * 1_001, field="title", most=1_000)
    assert caught.value.field == "title"
    assert caught.value.rule == "must have 1,000 characters at most"


def test_as_many_combining_marks_as_text_has_are_accepted() -> None:
    for text in ("q" + DOT_BELOW * STREAM_SAFE_RUN, DOT_BELOW * STREAM_SAFE_RUN + "q"):
        assert lines(text * 100, most=16_000) == text * 100


@pytest.mark.parametrize("before", ["", "q", "q" * 1_000])
def test_longer_runs_of_combining_marks_are_refused_in_long_texts(before: str) -> None:
    text = before + DOT_BELOW * (STREAM_SAFE_RUN + 1) + "q" * 1_000
    with pytest.raises(InvalidValue, match="combining marks"):
        lines(text, most=16_000)


@pytest.mark.parametrize("marks", [ACUTE + DOT_BELOW, TIBETAN_II * 2], ids=ascii)
def test_a_run_of_combining_marks_is_refused_without_sorting_it_first(marks: str) -> None:
    text = "q" + marks * 8_000
    start = process_time()
    unicodedata.normalize("NFC", text)
    sorted_after = process_time() - start
    with pytest.raises(InvalidValue, match="combining marks"):
        lines(text, most=16_000)
    assert process_time() - start - sorted_after < sorted_after / 5


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("q" * 1_000 + DIALYTIKA_TONOS * 16, id="16 marks that become 32"),
        pytest.param("q" * 1_000 + DIALYTIKA_TONOS * 30, id="30 marks that become 60"),
        pytest.param("q" * 1_000 + TIBETAN_II * 16, id="16 vowel signs that become 32 marks"),
        pytest.param("q" * 900 + DIALYTIKA_TONOS * 99, id="999 code points that become 1,098"),
        pytest.param("q" * 900 + DOT_BELOW * 99, id="999 code points that stay"),
    ],
)
def test_a_long_text_that_was_accepted_is_accepted_again_as_it_is(text: str) -> None:
    try:
        normalised = lines(text, most=16_000)
    except InvalidValue:
        return
    assert lines(normalised, most=16_000) == normalised


@given(text=TEXTS, allowed=st.booleans())
def test_any_text_is_either_normalised_once_and_for_all_or_an_invalid_value(
    text: str, allowed: bool
) -> None:
    try:
        normalised = normalise(text, field="notes", most=40, lines=allowed)
    except InvalidValue as error:
        assert error.field == "notes"
        return
    assert normalise(normalised, field="notes", most=40, lines=allowed) == normalised
    assert unicodedata.is_normalized("NFC", normalised)
    assert normalised == normalised.strip()
    assert len(normalised) <= 40
    unusual = {character for character in normalised if _is_unusual(character)}
    assert unusual <= ({"\n", "\t"} if allowed else set())


def _is_unusual(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Milk", "mILK"),
        ("straße", "STRASSE"),
        ("ẞ", "ß"),
        ("ΟΔΟΣ", "οδος"),
        ("ς", "σ"),
        ("İ", "i\u0307"),
        ("café", "CAFE" + ACUTE),
        ("ﬁ", "FI"),
        ("K", "\N{KELVIN SIGN}"),
        ("𐐀", "𐐨"),
        ("Ꭰ", "ꭰ"),
        ("ѐ", "Е\u0300"),
        ("ǰ", "J\u030c"),
        ("ᾳ", "ΑΙ"),
    ],
)
def test_texts_that_differ_in_case_or_composition_fold_to_the_same(
    one: str, other: str
) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("I", "ı"), ("İ", "i"), ("e", "é"), ("ハ", "ﾊ"), ("o", "0"), ("a", "а"), ("²", "2")],
)
def test_texts_that_differ_otherwise_fold_apart(one: str, other: str) -> None:
    assert fold(one) != fold(other)


@pytest.mark.parametrize("letter", ["ǰ", "ΐ", "ΰ", "ẖ", "ẗ", "ẘ", "ẙ", "ὖ", "ῒ", "한"])
def test_what_case_folding_takes_apart_is_composed_again(letter: str) -> None:
    assert fold(letter) == letter
    assert fold(unicodedata.normalize("NFD", letter).upper()) == letter


@given(text=TEXTS)
def test_folding_is_idempotent_and_composes(text: str) -> None:
    folded = fold(text)
    assert fold(folded) == folded
    assert unicodedata.is_normalized("NFC", folded)


@given(text=TEXTS)
def test_equivalent_spellings_fold_to_the_same(text: str) -> None:
    assert fold(unicodedata.normalize("NFD", text)) == fold(text)
    assert fold(unicodedata.normalize("NFC", text)) == fold(text)


@given(text=st.text(st.characters(codec="ascii")))
def test_the_case_of_ascii_letters_does_not_matter(text: str) -> None:
    assert fold(text.upper()) == fold(text.lower()) == fold(text) == text.casefold()
