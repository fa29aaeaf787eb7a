"""Docstrings as HTML: paragraphs, lists and code, everything else escaped."""

import re

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe


def inline(text: str) -> SafeString:
    """Escape a line and show `names` as code."""
    escaped = re.sub(r"``?([^`]+)``?", r"<code>\1</code>", escape(text.strip()))
    return mark_safe(re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", escaped))  # noqa: S308 - Escaped above.


def paragraphs(text: str) -> list[SafeString]:
    """Split a docstring at its empty lines; lines that begin with `*` become a sentence each."""
    parts = re.split(r"\n\s*\n", text.strip())
    return [inline(" ".join(part.replace("\n* ", "\n· ").split())) for part in parts if part.strip()]
