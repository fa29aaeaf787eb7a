"""Address books out of files: uploaded, checked, and taken in. Import from here."""

from ipam.services.imports.runs import check_book, take_in_book
from ipam.services.imports.uploads import (
    CHECK,
    TAKE_IN,
    BookImportIsOver,
    BookImportIsRunning,
    BookImportNotChecked,
    BookImportNotFound,
    remove_book_import,
    request_check,
    request_run,
    upload_book,
)

__all__ = [
    "CHECK", "TAKE_IN", "BookImportIsOver", "BookImportIsRunning", "BookImportNotChecked", "BookImportNotFound",
    "check_book", "remove_book_import", "request_check", "request_run", "take_in_book", "upload_book",
]  # fmt: skip
