"""What a payer may mean by what they wrote: numbers of invoices and customers, in their usual misspellings."""

import re
from collections.abc import Iterable

from subscribers.normal import words_of

MOST_TOKENS = 40
_TOKEN = re.compile(r"[A-Z0-9][A-Z0-9/._-]{2,39}")
# `INV-2026-000123` also as `inv 2026/123`, `INV2026000123` or, without its letters, `2026-000123`.
_INVOICE = re.compile(r"(?:(?<![A-Z])([A-Z]{1,8})[\s._/-]*)?(?<!\d)((?:19|20)\d\d)[\s._/-]*(\d{1,9})(?!\d)")
_SUBSCRIBER = re.compile(r"\b([A-Z]{1,8})[\s._/-]*(\d{1,9})(?!\d)")
_TITLES = frozenset(
    {
        "mr",
        "mrs",
        "ms",
        "miss",
        "dr",
        "sr",
        "sra",
        "srta",
        "don",
        "dona",
        "herr",
        "frau",
        "m",
        "mme",
        "eng",
        "and",
    }
)
SUBSCRIBER_PREFIX = "SUB"


def invoice_numbers(texts: Iterable[str], prefix: str) -> set[str]:
    """Return every invoice number the texts may name; `prefix` is that of numbers written without letters."""
    found = set()
    for text in texts:
        upper = text.upper()
        found |= set(_TOKEN.findall(upper)[:MOST_TOKENS])
        for letters, year, number in _INVOICE.findall(upper)[:MOST_TOKENS]:
            found.add(f"{letters or prefix}-{year}-{int(number):06d}")
            found.add(f"{prefix}-{year}-{int(number):06d}")
    return found


def subscriber_numbers(texts: Iterable[str]) -> set[str]:
    found = set()
    for text in texts:
        for letters, number in _SUBSCRIBER.findall(text.upper())[:MOST_TOKENS]:
            if letters == SUBSCRIBER_PREFIX:
                found.add(f"{SUBSCRIBER_PREFIX}-{int(number):06d}")
    return found


def payment_references(texts: Iterable[str]) -> set[str]:
    """Return what may be the reference of a payment that was entered before its statement came."""
    return {
        word
        for text in texts
        for word in [text.strip(), *text.split()[:MOST_TOKENS]]
        if 4 <= len(word) <= 120
    }


def name_words(name: str) -> list[str]:
    """Return a name's words, folded and without titles; none when there are not two of them."""
    words = [word for word in words_of(name) if word not in _TITLES]
    return words if len(words) > 1 else []


def same_name(one: str, other: str) -> bool:
    """Tell whether all words of the shorter name are in the longer: `Silva Maria` is Maria da Silva."""
    first, second = set(name_words(one)), set(name_words(other))
    return bool(first and second) and (first <= second or second <= first)
