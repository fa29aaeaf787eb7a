"""Where a record named by its kind and id has its page; apps say so for their own records."""

from typing import Any

from django.urls import reverse
from django.utils.html import format_html

_pages: dict[str, str] = {}


def add(kind: str, url_name: str) -> None:
    """Say that `<kind>_id` in a result or event, and a job's subject `<kind>:<id>`, lead to this page."""
    _pages[kind] = url_name


def url_of(kind: str, pk: Any) -> str:
    """Return the address of a record's page, or nothing for a kind nobody named."""
    return reverse(_pages[kind], args=[pk]) if kind in _pages and pk else ""


def url_of_subject(subject: str) -> str:
    """Return the page of `<kind>:<id>`; what follows a second colon only tells runs apart."""
    kind, pk = [*subject.split(":"), ""][:2]
    return url_of(kind, pk)


def link(url: str, text: str) -> str:
    return format_html('<a class="isp-link" href="{}">{}</a>', url, text)
