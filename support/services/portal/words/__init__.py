"""Every word of the portal: one table, one column a language, as billing has one for its documents.

Amounts, days and numbers are written by Babel, from CLDR, with Western digits. What staff name themselves (plans,
subjects, tickets) stays as they wrote it. A test finds what is missing.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from babel.dates import format_date, format_datetime
from django.utils import timezone

from billing.models import Language
from billing.services.documents.languages import ORDER
from billing.services.documents.languages import Words as DocumentWords
from support.services.portal.words import letters, lines, pages, refusals

UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
STEP = 1000  # ISO 80000-13: providers sell decimal units.
# Unicode TR 9, section 2.4: a number or name keeps its own direction within a sentence.
_ISOLATE, _END = "\u2068", "\u2069"

WORDS = pages.WORDS | refusals.WORDS | lines.WORDS | letters.WORDS
_COLUMN = {language.value: number for number, language in enumerate(ORDER)}


@dataclass(frozen=True)
class Words(DocumentWords):
    """The portal in one language. In a template a word is `{{ words.home }}`."""

    @property
    def direction(self) -> str:
        return "rtl" if self.is_right_to_left else "ltr"

    def __getitem__(self, word: str) -> str:
        return WORDS[word][_COLUMN[self.language]]

    def say(self, word: str, **values: object) -> str:
        """Return a word or sentence of the table, with the values it names."""
        if self.is_right_to_left:
            values = {name: f"{_ISOLATE}{value}{_END}" for name, value in values.items()}
        return self[word].format(**values)

    def size(self, count: int) -> str:
        """Write a number of bytes: 1.5 GB."""
        value, unit = Decimal(count), 0
        while value >= STEP and unit < len(UNITS) - 1:
            value, unit = value / STEP, unit + 1
        return f"{self.number(value, 1 if unit else 0)} {UNITS[unit]}"

    def short_day(self, on: date) -> str:
        """Write a day without its year."""
        return str(format_date(on, "d MMM", locale=self.language))

    def moment(self, at: datetime) -> str:
        """Write day and time at the provider's clock."""
        return str(format_datetime(timezone.localtime(at), "d MMM y, HH:mm", locale=self.language))


def words_in(language: str) -> Words:
    """Return a language by its code; English for one nobody translated."""
    return Words(language if language in _COLUMN else Language.EN.value)


def languages() -> list[tuple[str, str]]:
    """Return code and own name of each language."""
    return [(str(code), str(label)) for code, label in Language.choices]
