"""Which page a record named by its kind and id has, as apps say of their own; and which record a query names."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
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


def id_in(text: str | None) -> UUID | None:
    """Return the id that a query, which anybody may write, gives; None for what is none."""
    try:
        return UUID(text or "")
    except ValueError:
        return None


def named(rows: QuerySet[Any], pk: str | None) -> Any:
    """Return the row of that key; None when there is none, or the key is none."""
    key = id_in(pk)
    return rows.filter(pk=key).first() if key else None
