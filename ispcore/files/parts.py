"""The parts of a workbook, each of them bounded: what is read in one piece is held in memory.

Whoever made the file names its parts, so a bound holds for what a part is used for and not for its name.
"""

import zipfile
from collections.abc import Callable, Iterator
from typing import IO, Any

from openpyxl.cell.text import Text
from openpyxl.xml.constants import SHEET_MAIN_NS
from openpyxl.xml.functions import iterparse

MAX_STRINGS_BYTES = 100 * 1024 * 1024  # They are held in memory while an XLSX file is read.
MAX_PART_BYTES = 8 * 1024 * 1024  # Of a part that is no sheet and no text, such as the styles.
MAX_ROW_BYTES = 4 * 1024 * 1024  # Of a sheet's row, or one text, as XML: it is held in memory as a whole.


class Part:
    """A part of a workbook, of which no row and no text may be without end: each is held in memory."""

    def __init__(self, part: IO[bytes]) -> None:
        self._part = part
        self._left = MAX_ROW_BYTES

    def __enter__(self) -> "Part":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._part.close()

    def begin(self) -> None:
        self._left = MAX_ROW_BYTES

    def read(self, size: int) -> bytes:
        data = self._part.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise ValueError("a row or a text of the workbook is too large")
        return data


class Archive(zipfile.ZipFile):
    """A workbook's parts; `sheet` is the one that was opened last."""

    sheet: Part

    def read(self, name: Any, pwd: bytes | None = None) -> bytes:
        with super().open(name, pwd=pwd) as part:
            data = part.read(MAX_PART_BYTES + 1)
        if len(data) > MAX_PART_BYTES:
            raise ValueError("a part is too large")
        return data

    def open(self, name: Any, *args: Any, **kwargs: Any) -> Any:
        self.sheet = Part(super().open(name, *args, **kwargs))
        return self.sheet

    def open_strings(self, name: str) -> Part:
        if self.getinfo(name).file_size > MAX_STRINGS_BYTES:
            raise ValueError("the workbook holds too much text to be read at once")
        return Part(super().open(name))


class Strings:
    """A workbook's shared strings, read as far as they were asked for: the header needs only the first."""

    def __init__(self, open_part: Callable[[], Part]) -> None:
        self._open_part = open_part
        self._known: list[str] = []
        self._more: Iterator[str] | None = None

    def __getitem__(self, index: int) -> str:
        if self._more is None:
            self._more = self._read()
        while index >= len(self._known):
            self._known.append(next(self._more, ""))
        return self._known[index]

    def _read(self) -> Iterator[str]:
        tag = f"{{{SHEET_MAIN_NS}}}si"
        with self._open_part() as source:
            root = None
            for event, node in iterparse(source, events=("start", "end")):
                if root is None:
                    root = node
                if event == "end" and node.tag == tag:
                    yield Text.from_tree(node).content.replace("x005F_", "")
                    root.clear()
                    source.begin()
