"""Normal forms: two spellings of one thing become equal. Pure functions, no database."""

import re
import unicodedata
from itertools import combinations

import phonenumbers

MAX_WORDS = 60
MAX_WORD = 60  # SubscriberWord.word
MAX_ADDRESS_KEY = 200  # Premise.address_key
MAX_EMAIL = 254  # Subscriber.email_lower
MAX_LINE_NUMBER = 2_147_483_647  # Subscription.number

_DIGITS = re.compile("[0-9]{1,10}")
_WORD = re.compile(r"[^\W_]+")

# Letters that have no decomposition into a base letter and an accent, yet are typed without it.
_PLAIN = str.maketrans({"ø": "o", "đ": "d", "ł": "l", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ı": "i"})

# USPS Publication 28, appendix C, and what Portuguese and Spanish addresses shorten: spelling -> one form.
_STREET_WORDS = {
    "street": "st", "str": "st", "avenue": "ave", "av": "ave", "avenida": "ave", "road": "rd",
    "boulevard": "blvd", "drive": "dr", "lane": "ln", "court": "ct", "square": "sq", "place": "pl",
    "highway": "hwy", "parkway": "pkwy", "terrace": "ter", "apartment": "apt", "apto": "apt", "flat": "apt",
    "suite": "ste", "building": "bldg", "floor": "fl", "number": "no", "num": "no", "nr": "no", "nro": "no",
    "calle": "c", "cl": "c", "rua": "r", "carrera": "cra", "north": "n", "south": "s", "east": "e", "west": "w",
}  # fmt: skip


def fold(text: str) -> str:
    """Return the text without case and accents: `José` and `JOSE` are one."""
    if text.isascii():  # Most text is, and has no accents to look for.
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c)).translate(_PLAIN)


def words_of(*texts: str) -> list[str]:
    """Return the different words of the texts, folded; at most MAX_WORDS of at most MAX_WORD characters."""
    found: dict[str, None] = {}
    for text in texts:
        for word in _WORD.findall(fold(text)):
            found[word[:MAX_WORD]] = None
    return list(found)[:MAX_WORDS]


def phone_to_e164(text: str, *, region: str) -> str:
    """Return a phone number as E.164; `region` is the country of one written without a country code.

    Empty for text that is no possible number.
    """
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_possible_number(number):
        return ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def national_digits(e164: str) -> str:
    """Return the digits people of the same country dial, without the country code (ITU-T E.164, 6.2.1).

    No country code begins another one, so the first that fits is the one.
    """
    digits = e164.removeprefix("+")
    for length in (1, 2, 3):
        if digits[:length].isdigit() and int(digits[:length]) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
            return digits[length:]
    return ""


def document_normal(text: str) -> str:
    """Return a document's letters and digits only, upper-case: `ab-12.3` and `AB 123` are one."""
    return "".join(c for c in fold(text) if c.isalnum()).upper()


def line_number(text: str) -> int | None:
    """Return the number of a service that is written here; None for what can be none."""
    number = int(text) if _DIGITS.fullmatch(text) else None
    return number if number is not None and number <= MAX_LINE_NUMBER else None


def email_lower(text: str) -> str:
    return text.strip().lower()[:MAX_EMAIL]  # A few letters are longer in lower case.


def name_key(text: str) -> str:
    """Return what two spellings of one name share."""
    return " ".join(_WORD.findall(fold(text)))


def address_key(text: str) -> str:
    """Return what two spellings of one address share, street abbreviations included."""
    spelt = re.sub(r"\bn[º°o]\s*\.?\s*(?=\d)", " no ", text.casefold())
    words = _WORD.findall(fold(spelt.replace("#", " no ")))
    return " ".join(_STREET_WORDS.get(word, word) for word in words)


def first_line_key(line1: str) -> str:
    """Return what two spellings of an address's first line share, as premises are found by."""
    return address_key(line1)[:MAX_ADDRESS_KEY]


def first_line_keys(address: str) -> list[str]:
    """Return every key a first line may have with which this address begins."""
    words = address_key(address).split()[:MAX_WORDS]
    return sorted({" ".join(words[:count])[:MAX_ADDRESS_KEY] for count in range(1, len(words) + 1)})


def address_words(text: str) -> list[str]:
    """Return the words of an address that are written in one way only."""
    spellings = {*_STREET_WORDS, *_STREET_WORDS.values()}
    return [word for word in words_of(address_key(text)) if word not in spellings]


def address_keys(line1: str, *others: str) -> set[str]:
    """Return every way to write an address that gives its first line and, in order, any of the others."""
    if not line1:
        return set()
    rest = [part for part in others if part]
    return {
        address_key(" ".join((line1, *some)))
        for count in range(len(rest) + 1)
        for some in combinations(rest, count)
    }
