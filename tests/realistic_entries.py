"""Entries like those that people write, the same ones for the same seed.

Content has 20 to 120 characters in one of several scripts, a fifth of the entries has
notes, a fifth is due, each carries none to five of 50 tags, three in ten are done.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from random import Random
from uuid import UUID

from myapp.domain.todo import Due, Priority, TodoEntry

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)

_VOCABULARIES = [
    "buy call write plan fix read send clean book pay oat milk dentist report garden "
    "train tickets invoice the for with before about Monday meeting letter bicycle",
    "Brötchen kaufen Straße Übung für Müller zurückrufen Größe prüfen Äpfel heiß und "
    "Bücher zurückbringen Schlüssel abholen über Grüße schicken",
    "купить молоко позвонить врачу написать отчёт билеты на поезд вернуть книги ёлка "
    "объект съезд подъезд и для перед",
    "αγορά γάλα τηλεφώνημα γιατρός εισιτήρια τρένο βιβλία επιστροφή ραντεβού λογαριασμός",
    "牛乳を買う 歯医者に電話する 報告書を書く 切符を予約 本を返す 掃除 会議 の 前に 自転車",
    "اشتر الحليب اتصل بالطبيب اكتب التقرير احجز التذاكر أعد الكتب نظف المكتب",
    "दूध खरीदना डॉक्टर को फोन करना रिपोर्ट लिखना टिकट बुक करना किताबें लौटाना सफाई",
    "🥛 🦷 📝 🚆 milk İstanbul ılık süt al şişe çöp çıkar ödeme yap randevu",
]
_WORDS = [vocabulary.split() for vocabulary in _VOCABULARIES]
_WEIGHTS = [40, 15, 10, 5, 10, 5, 5, 10]
_PLACES = ("home", "büro", "店", "дом", "work")
_TAGS = [f"{place}-{number}" for place in _PLACES for number in range(10)]


def realistic_entries(count: int, *, seed: int = 1) -> Iterator[TodoEntry]:
    """Answer so many new entries, not stored yet, a minute apart."""
    random = Random(seed)
    for number in range(count):
        yield _entry(random, BEGINNING + timedelta(minutes=number))


def _entry(random: Random, created_at: datetime) -> TodoEntry:
    (words,) = random.choices(_WORDS, _WEIGHTS)
    done = random.random() < 0.3
    updated_at = created_at + timedelta(seconds=random.randrange(10**6)) * done
    return TodoEntry(
        id=UUID(int=random.getrandbits(128)),
        content=_text(random, words, random.randint(20, 120)),
        notes=_notes(random, words) if random.random() < 0.2 else "",
        tags=tuple(random.sample(_TAGS, random.randint(0, 5))),
        priority=random.choices(list(Priority), [70, 10, 12, 8])[0],
        due=_due(random, created_at) if random.random() < 0.2 else None,
        completed_at=updated_at if done else None,
        created_at=created_at,
        updated_at=updated_at,
    )


def _text(random: Random, words: list[str], length: int) -> str:
    text = random.choice(words)
    while len(text) < length:
        text = f"{text} {random.choice(words)}"
    return text[: length - 1].rstrip().ljust(length, "!")


def _notes(random: Random, words: list[str]) -> str:
    return "\n".join(
        _text(random, words, random.randint(20, 80)) for _ in range(random.randint(1, 6))
    )


def _due(random: Random, created_at: datetime) -> Due:
    moment = created_at + timedelta(minutes=random.randrange(100_000))
    day: date = moment.date()
    return Due(day if random.random() < 0.5 else moment)
