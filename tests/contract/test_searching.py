"""Every repository: what a search finds, in whatever script, and what it does not."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myapp.domain.todo import CONTENT_MOST, NOTES_MOST, TodoEntry
from myapp.domain.todo_entry_repository import TodoEntryRepository, TodoQuery
from myapp.infrastructure.database.sql.queries import FEW
from tests.contract.entries import (
    LATER,
    contents_of,
    entries_of,
    new_entry,
    pages_of,
    phrases,
    save,
)
from tests.contract.storages import Storage
from tests.realistic_entries import realistic_entries
from tests.saving import save_all

FOUND = [
    ("milk", "buy oat milk"),
    ("MILK", "buy oat milk"),
    ("milk", "BUY OAT MILK"),
    ("oat mi", "buy oat milk"),
    ("y o", "buy oat milk"),
    ("buy oat milk", "buy oat milk"),
    ("  milk ", "milk"),
    # one and two characters, which an index of three would not know
    ("k", "buy oat milk"),
    ("lk", "buy oat milk"),
    ("x", "x"),
    ("店", "商店街"),
    ("牛乳", "牛乳を買う"),
    ("乳を", "牛乳を買う"),
    # folding that changes the length
    ("strasse", "Lange Straße"),
    ("STRASSE", "straße"),
    ("straße", "STRASSE"),
    ("ẞ", "straße"),
    ("ß", "GROẞ"),
    ("ss", "ẞ"),
    ("as", "Straße"),
    ("sse", "Straße"),
    ("file", "ﬁle"),
    ("ﬁ", "FIND"),
    ("ŉ", "\u02bcn"),
    # dotted and dotless i, untailored
    ("istanbul", "ISTANBUL"),
    ("i\u0307stanbul", "İstanbul"),
    ("İstanbul", "i\u0307stanbul"),
    ("i", "İ"),
    ("ILIK", "ilik"),
    ("ılık", "ılık süt"),
    # sigma, final or not
    ("οδοσ", "ΟΔΟΣ"),
    ("οδος", "ΟΔΟΣ"),
    ("ΟΔΟΣ", "οδος"),
    ("ς", "σ"),
    ("Σ", "λόγος"),
    # precomposed or not
    ("café", "cafe\u0301"),
    ("cafe\u0301", "café"),
    ("CAFE\u0301", "café"),
    ("ộ", "o\u0302\u0323"),
    ("\u0323", "q\u0307\u0323"),
    ("\u0307", "q\u0307\u0323"),
    ("q", "q\u0307"),
    ("한", "\u1112\u1161\u11ab"),
    ("\u1112\u1161\u11ab", "한국"),
    ("ά", "\u1f71"),
    ("J\u030c", "ǰ"),
    ("Ϊ\u0301", "ΐ"),
    # beyond the basic multilingual plane
    ("😀", "well 😀 done"),
    ("😀 d", "well 😀 done"),
    ("👩\u200d🚀", "👩\u200d🚀 to the moon"),
    ("🚀", "👩\u200d🚀 to the moon"),
    ("𐐨", "𐐀"),
    ("𐐀𐐁", "𐐨𐐩"),
    ("\U0010ffff", "a\U0010ffffb"),
    # other scripts
    ("МОЛОКО", "купить молоко"),
    ("ёлка", "Ёлка"),
    ("Ꭰ", "ꭰ"),
    ("الحليب", "اشتر الحليب"),
    ("ख", "दूध खरीदना"),
    # what patterns and query languages make something of
    ("%", "100 % sure"),
    ("0%", "100%"),
    ("_", "snake_case"),
    ("\\", "back\\slash"),
    ("\\%", "a\\%b"),
    ("*", "2 * 3"),
    ("a*", "a*b"),
    ("?", "why?"),
    ("[a-c]", "[a-c]"),
    ("^", "^"),
    ("'", "it's"),
    ("''", "it''s"),
    ('"', 'say "hi"'),
    ('"hi"', 'say "hi"'),
    ("or", "this or that"),
    ("AND", "AND NOT"),
    ("NEAR(", "near(by)"),
    ("content:", "content: x"),
    ("-x", "a -x"),
    ("(", "(a)"),
    (";--", "a;--b"),
    ("$1", "$1"),
    (":id", ":id"),
    ("{}", "{}"),
    (".*", "a.*b"),
    ("\ufffe", "a\ufffeb"),
    # the same where there is enough for an index of three
    ("100%", "at 100% now"),
    ("e_c", "snake_case"),
    ("a\\b", "a\\b"),
    ("\\%_", "x\\%_y"),
    ("e\\\\", "such as these\\\\"),
    ('"""', 'a"""b'),
    ('y "hi" t', 'say "hi" to'),
    ("'''", "a'''b"),
    ("---", "a---b"),
    ("...", "wait..."),
    ("%%%", "%%%"),
    ("a AND b", "a and b"),
    ("x OR", "x or y"),
    ("NOT x", "not x"),
    ("NEAR(a b)", "near(a b)"),
    ("^ab", "^abc"),
    ("ab*", "ab*"),
    ("+ab", "+abc"),
    ("{a}: b", "{A}: B"),
    ("search_text:", "search_text: x"),
    # phrases, which may be sought by where their words meet alone
    ("a b c d e", "a b c d e"),
    ("b c d", "a b c d e"),
    ("uy the oat milk and the bre", "buy the oat milk and the bread"),
    ("50 % o_f a \\ b % c", "at 50 % o_f a \\ b % cd"),
    ("wait ... what ?! no", "wait ... what ?! no - yes"),
    ("🥛 🦷 📝 🚆", "🥛 🦷 📝 🚆!"),
    ("牛乳を買う 本を返す 掃除 会", "牛乳を買う 本を返す 掃除 会議"),
    ("1 2 3 4", "0 1 2 3 4 5"),
    ("a  b  c  d", "a  b  c  d"),
    ("b  c d e  f", "a b  c d e  fg"),
    ("y oat m", "buy oat milk"),
    ("y oat mi", 'call "me" or buy oat milk'),
    ("oat milk", "buy oat milk and bread"),
    ("a b a b a b", "a b a b a b a"),
    ("q q q q", "q q q q"),
    (f"y {'x' * 900} o", f"buy {'x' * 900} oat milk"),
    ("quick quiz qq", "a quick quiz qq q"),
    ("ﬃ", "OFFICE"),
    ("ßa", "SSA"),
    ("𐐨𐐩𐐪", "𐐀𐐁𐐂"),
    ("😀😁😂", "😀😁😂"),
    ("a😀b", "A😀B"),
    ("牛乳を", "牛乳を買う"),
    ("ΐa", "\u03b9\u0308\u0301A"),
    ("q\u0323\u0307", "Q\u0307\u0323"),
]

NOT_FOUND = [
    ("milks", "milk"),
    ("milk oat", "oat milk"),
    ("oat  milk", "oat milk"),
    ("oatmilk", "oat milk"),
    ("bread milk", "milk and bread"),
    ("ab", "a b"),
    # untailored: the dotted capital is not the plain letter, nor is the dotless small one
    ("istanbul", "İstanbul"),
    ("ISTANBUL", "ıstanbul"),
    ("ı", "I"),
    ("I", "ı"),
    # letters with marks are letters of their own
    ("e", "é"),
    ("café", "cafe"),
    ("cafe", "café"),
    ("u", "ü"),
    ("é", "e"),
    ("j", "ǰ"),
    ("ι", "ΐ"),
    ("е", "e"),
    ("ハ", "ﾊ"),
    ("1", "¹"),
    ("😀", "😁"),
    ("𐐀", "A"),
    # no wildcard
    ("%", "100"),
    ("m%k", "milk"),
    ("_", "snake"),
    ("m_lk", "milk"),
    ("\\", "slash"),
    ("\\%", "%"),
    ("*", "2"),
    ("mil*", "milk"),
    ("?", "why"),
    ("m?lk", "milk"),
    ("[a-m]ilk", "milk"),
    (".", "a"),
    ("^m", "milk"),
    ('"milk"', "milk"),
    ("milk OR bread", "milk"),
    ("NOT bread", "milk"),
    ("content:milk", "milk"),
    ("%%%", "milk"),
    ("___", "milk"),
    ("mi__", "milk"),
    ("\\\\\\", "\\\\"),
    ("---", "a--b"),
    ('""" OR """', "milk"),
    ("😀😁😂", "😀😁"),
    ("𐐨𐐩𐐪", "𐐨𐐩"),
    ("İii", "iii"),
    ("abc", "ab c"),
]


@pytest.mark.parametrize(("search", "text"), FOUND)
async def test_a_search_finds_a_folded_part_of_content_or_notes(
    repository: TodoEntryRepository, search: str, text: str
) -> None:
    in_content, in_notes, _ = await save_all(
        repository,
        new_entry(text),
        new_entry("###", notes=f"###\n{text}\n###"),
        new_entry("###"),
    )
    found = await entries_of(repository, TodoQuery(search=search))
    assert found == [in_content, in_notes]


@pytest.mark.parametrize(("search", "text"), NOT_FOUND)
async def test_a_search_finds_nothing_else(
    repository: TodoEntryRepository, search: str, text: str
) -> None:
    await repository.save(new_entry(text), new_entry("###", notes=text))
    assert await entries_of(repository, TodoQuery(search=search)) == []


@pytest.mark.parametrize(
    ("search", "tag"),
    [
        ("home", "home"),
        ("HOME", "home"),
        ("home", "HOME"),
        ("STRASSE", "straße"),
        ("straße", "STRASSE"),
        ("οδος", "ΟΔΟΣ"),
        ("cafe\u0301", "CAFÉ"),
        ("i\u0307", "İ"),
        ("x", "X"),
        ("店", "店"),
        ("😀", "😀"),
        ("%", "%"),
        ("a_b", "A_B"),
        ("'", "'"),
        ("*", "*"),
        ("😀" * 60, "😀" * 60),
        ("a%b", "A%B"),
        ('"a"', '"A"'),
        ("'a'", "'A'"),
    ],
)
async def test_a_search_finds_a_whole_folded_tag(
    repository: TodoEntryRepository, search: str, tag: str
) -> None:
    tagged, _ = await save_all(
        repository, new_entry("###", tags=("!", tag, "~")), new_entry("###", tags=("!", "~"))
    )
    assert await entries_of(repository, TodoQuery(search=search)) == [tagged]


@pytest.mark.parametrize(
    ("search", "tags"),
    [
        ("hom", ("home",)),
        ("ome", ("home",)),
        ("h", ("home",)),
        ("homes", ("home",)),
        ("%", ("home",)),
        ("hom_", ("home",)),
        ("h*", ("home",)),
        ("stras", ("straße",)),
        ("i", ("İ",)),
        ("abcd", ("ab", "cd")),
        ("ab cd", ("ab", "cd")),
        ("ab,cd", ("ab", "cd")),
        ("ab\ncd", ("ab", "cd")),
        ('"ab"', ("ab",)),
        ("ab", ("abc", "xab")),
        ("a%c", ("abc",)),
        ("a_c", ("abc",)),
    ],
)
async def test_a_search_does_not_find_a_part_of_a_tag_nor_several_together(
    repository: TodoEntryRepository, search: str, tags: tuple[str, ...]
) -> None:
    await repository.save(new_entry("###", tags=tags))
    assert await entries_of(repository, TodoQuery(search=search)) == []


@pytest.mark.parametrize("search", ["kb", "k b", "k\nb", "k\n\nb", "milkbread", "k\tb"])
async def test_a_search_does_not_reach_from_one_text_into_the_next(
    repository: TodoEntryRepository, search: str
) -> None:
    await repository.save(
        new_entry("milk", notes="bread", tags=("milk", "bread")),
        new_entry("bread", notes="milk"),
        new_entry("milk"),
        new_entry("bread"),
    )
    assert await entries_of(repository, TodoQuery(search=search)) == []


@pytest.mark.parametrize(
    "search", ["one\ntwo", "one\r\ntwo", "one\u2028two", "one\u2029two", "\tone\rTWO\n"]
)
async def test_a_search_finds_across_the_lines_of_notes(
    repository: TodoEntryRepository, search: str
) -> None:
    stored = await save(repository, new_entry("###", notes="zero\none\r\ntwo"))
    assert await entries_of(repository, TodoQuery(search=search)) == [stored]


async def test_a_search_finds_phrases_that_reach_over_lines(
    repository: TodoEntryRepository,
) -> None:
    notes = "buy the oat milk\nand the bread\n\nof rye and so on"
    stored = await save(repository, new_entry("###", notes=notes))
    for search in ("he oat milk\nand the bread\n\nof rye an", "milk\nand", notes):
        assert await entries_of(repository, TodoQuery(search=search)) == [stored]
    for search in ("he oat milk and the bread of rye an", "bread\nof rye and so on"):
        assert await entries_of(repository, TodoQuery(search=search)) == []


@pytest.mark.parametrize(
    ("search", "content"),
    [
        ("a b c d e", "aqbqcqdqe"),
        ("aqbqcqdqe", "a b c d e"),
        ("aqb", "a b"),
        ("a b", "aqb"),
        ("one two three four", "one two tree four"),
        ("one two three four", "one two one three one four"),
        ("1 % 2 % 3 % 4", "1 x 2 x 3 x 4"),
        ("a _ b _ c _ d", "a x b x c x d"),
        ("a \\ b \\ c", "a % b % c"),
    ],
)
async def test_a_search_takes_no_phrase_for_one_that_is_like_it(
    repository: TodoEntryRepository, search: str, content: str
) -> None:
    await repository.save(new_entry(content))
    assert await entries_of(repository, TodoQuery(search=search)) == []


@pytest.mark.parametrize("search", ["", " ", "\n\t", "\u2029"])
async def test_an_empty_search_finds_everything(
    repository: TodoEntryRepository, search: str
) -> None:
    stored = await save_all(repository, new_entry("milk"), new_entry("bread"))
    assert await entries_of(repository, TodoQuery(search=search)) == list(stored)


async def test_a_search_reaches_the_end_of_the_longest_texts(
    repository: TodoEntryRepository,
) -> None:
    content = "ß" * (CONTENT_MOST - 3) + "end"
    notes = "😀\n" * (NOTES_MOST // 2 - 2) + "last"
    stored = await save(repository, new_entry(content, notes=notes))
    for search in ("SSEND", "\nLAST", content, notes[:CONTENT_MOST]):
        assert await entries_of(repository, TodoQuery(search=search)) == [stored]


async def test_a_search_follows_the_changes_of_an_entry(
    repository: TodoEntryRepository,
) -> None:
    one, two = await save_all(
        repository,
        new_entry("milk", notes="sweet", tags=("shop",)),
        new_entry("bread", notes="brown", tags=("bakery",)),
    )
    for search in ("milk", "sweet", "shop"):
        assert await entries_of(repository, TodoQuery(search=search)) == [one]
    changed, _ = await save_all(
        repository,
        one.change(at=LATER, content="honey", notes="golden", tags=("market",)),
        two.remove(at=LATER),
    )
    for search in ("milk", "sweet", "shop", "bread", "brown", "bakery"):
        assert await entries_of(repository, TodoQuery(search=search)) == []
    for search in ("honey", "golden", "market"):
        assert await entries_of(repository, TodoQuery(search=search)) == [changed]


async def test_a_search_is_paged_sorted_and_counted_like_any_query(
    repository: TodoEntryRepository,
) -> None:
    await repository.save(
        *(new_entry(f"{word} {number}") for number in range(5) for word in ("milk", "bread")),
        *(new_entry("###", notes="Milk", done=True) for _ in range(5)),
    )
    query = TodoQuery(search="milk", done=False, descending=True, limit=2, counted=True)
    pages = await pages_of(repository, query)
    assert [len(page.entries) for page in pages] == [2, 2, 1]
    assert {page.total for page in pages} == {5}
    found = [entry.content for page in pages for entry in page.entries]
    assert found == [f"milk {number}" for number in (4, 3, 2, 1, 0)]


REALISTIC = list(realistic_entries(40))


@st.composite
def _searches(draw: st.DrawFn) -> str:
    """A part of an entry that is there, perhaps in another case."""
    entry: TodoEntry = draw(st.sampled_from(REALISTIC))
    text = draw(st.sampled_from([entry.content, entry.notes or "x", *entry.tags]))
    start = draw(st.integers(min_value=0, max_value=len(text) - 1))
    length = draw(st.integers(min_value=1, max_value=40))
    part = text[start : start + length]
    return draw(st.sampled_from([part, part.upper(), part.lower(), part.title()]))


@given(searches=st.lists(_searches(), min_size=20, max_size=20))
@settings(max_examples=8)
async def test_a_search_finds_what_the_domain_says_it_matches(
    storage: Storage, searches: list[str]
) -> None:
    with TemporaryDirectory() as folder:
        async with storage.open(Path(folder)) as repository:
            stored = await save_all(repository, *REALISTIC)
            for search in searches:
                query = TodoQuery(search=search)
                expected = [entry for entry in stored if query.matches(entry)]
                assert await entries_of(repository, query) == expected


@st.composite
def _phrases_and_parts(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    """Some phrases, and parts of them that may be sought."""
    texts = draw(st.lists(phrases, min_size=1, max_size=4))
    parts = []
    for text in texts * 5:
        start, end = (draw(st.integers(min_value=0, max_value=len(text))) for _ in range(2))
        parts.append(text[min(start, end) : max(start, end)])
    return texts, parts


@given(texts_and_searches=_phrases_and_parts())
@settings(max_examples=15)
async def test_a_search_finds_each_part_of_a_phrase_whatever_it_is_made_of(
    storage: Storage, texts_and_searches: tuple[list[str], list[str]]
) -> None:
    texts, searches = texts_and_searches
    with TemporaryDirectory() as folder:
        async with storage.open(Path(folder)) as repository:
            stored = await save_all(repository, *(new_entry("#", notes=text) for text in texts))
            for search in searches:
                query = TodoQuery(search=search)
                expected = [entry for entry in stored if query.matches(entry)]
                assert await entries_of(repository, query) == expected


async def test_characters_that_stand_for_nothing_are_not_taken_for_each_other(
    repository: TodoEntryRepository,
) -> None:
    await repository.save(*(new_entry(f"ab{character}") for character in "\uffff\ufffd"))
    for character, found in [
        ("\ufffe", []),
        ("\uffff", ["ab\uffff"]),
        ("\ufffd", ["ab\ufffd"]),
    ]:
        query = TodoQuery(search=f"ab{character}", counted=True)
        assert await contents_of(repository, query) == found
        assert (await repository.find(query)).total == len(found)


async def test_a_long_search_finds_what_has_all_of_it(repository: TodoEntryRepository) -> None:
    beginning = "x" * 100
    await repository.save(new_entry(f"{beginning} one"), new_entry(f"{beginning} two"))
    assert await contents_of(repository, TodoQuery(search=f"{beginning} TWO")) == [
        f"{beginning} two"
    ]


async def test_a_phrase_that_many_have_is_found_in_all_of_them(
    repository: TodoEntryRepository,
) -> None:
    many = [new_entry(content=f"call the dentist soon, {number}") for number in range(FEW + 44)]
    stored = await save_all(repository, *many)
    await save_all(repository, new_entry(content="call the dentist so"))
    found = await entries_of(repository, TodoQuery(search="l the dentist soon"))
    assert sorted(found, key=lambda entry: entry.revision) == stored
    assert await entries_of(repository, TodoQuery(search="l the dentist soon", done=True)) == []
