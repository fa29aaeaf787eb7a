"""Subscribers and their services out of files: uploaded, mapped, checked, and taken in. Import from here."""

from ispcore.files.tables import (
    ENCODING_NAMES,
    ENCODINGS,
    MAX_FILE_BYTES,
    FileTooLarge,
    TooManyRowsToImport,
    UnreadableFile,
    WrongColumns,
)
from subscribers.services.imports.fields import (
    FIELDS,
    WrongMapping,
    check_mapping,
    guess_mapping,
    is_metadata,
    label_of,
)
from subscribers.services.imports.runs import check_import, run_import
from subscribers.services.imports.uploads import (
    FileAlreadyImported,
    ImportHasBegun,
    ImportIsOver,
    ImportIsRunning,
    ImportNotChecked,
    ImportNotFound,
    change_import,
    discard_import,
    error_file,
    error_file_name,
    forget_old_imports,
    idle,
    request_check,
    request_run,
    template_file,
    upload_import,
)

__all__ = [
    "ENCODINGS", "ENCODING_NAMES", "FIELDS", "MAX_FILE_BYTES", "FileAlreadyImported", "FileTooLarge",
    "ImportHasBegun", "ImportIsOver",
    "ImportIsRunning", "ImportNotChecked", "ImportNotFound", "TooManyRowsToImport", "UnreadableFile", "WrongColumns",
    "WrongMapping", "change_import", "check_import", "check_mapping", "discard_import", "error_file",
    "error_file_name", "forget_old_imports", "guess_mapping", "idle", "is_metadata", "label_of", "request_check",
    "request_run", "run_import", "template_file", "upload_import",
]  # fmt: skip
