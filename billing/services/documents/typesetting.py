"""The one typst compiler of this process.

Measured on two cores: threads that compile side by side are slower than one after the other, so they take turns.
The compiler keeps what it read and laid out; only the values differ from document to document. Fonts are those the
library brings (Libertinus Serif; DejaVu Sans Mono for Arabic), never the machine's: a document looks the same
everywhere, and PDF/A embeds them.
"""

import json
import threading
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings

TEMPLATES = Path(settings.BASE_DIR) / "templates" / "billing"
_turn = threading.Lock()


def render(template: str, values: dict[str, Any], *, at: datetime | None, kind: str = "pdf") -> bytes:
    """Set a template of `templates/billing` with values; `at` is the time the document says it was made.

    Letters of which no font has a shape (Chinese, Thai, emoji) are boxes, and such a document is no PDF/A: a customer
    is billed all the same. The same values make the same bytes. `kind` may be png, for one page to look at.
    """
    given = {"sys_inputs": {"values": json.dumps(values)}}
    made_at = at.astimezone(UTC).replace(microsecond=0) if at else None  # It takes whole seconds only.
    with _turn:
        if kind == "png":
            picture: bytes = _compiler(template).compile(format="png", ppi=110, **given)
            return picture
        return _archival(template, timestamp=made_at, **given)


def _archival(template: str, **given: Any) -> bytes:
    """Set a PDF/A-2b, or a plain PDF with boxes where a text has letters of no font here, such as of Chinese."""
    from typst import TypstError

    compiler = _compiler(template)
    try:
        pdf: bytes = compiler.compile(format="pdf", pdf_standards="a-2b", **given)
    except TypstError as error:
        if "could not be displayed" not in str(error):
            raise
        pdf = compiler.compile(format="pdf", **given)
    return pdf


@cache
def _compiler(template: str) -> Any:
    import typst  # A library of 34 MB that only those processes need that make a document.

    return typst.Compiler(TEMPLATES / template, root=TEMPLATES, ignore_system_fonts=True)
