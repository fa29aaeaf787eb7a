"""The attributes we speak: our own dictionary files, read once per process."""

import functools
import io
from pathlib import Path

from pyrad.dictionary import Dictionary

FOLDER = Path(__file__).parent / "dictionaries"


@functools.cache
def dictionary() -> Dictionary:
    """Return the attributes of the RFCs and of every vendor that aaa.rendering knows."""
    text = "\n".join(path.read_text() for path in sorted(FOLDER.iterdir()))
    return Dictionary(io.StringIO(text))
