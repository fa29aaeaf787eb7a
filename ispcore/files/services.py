"""Files kept in the database, written and read piece by piece: memory stays the same for any size.

Every piece is read or written inside `scope()`, which opens the tenant's transaction: a job passes its
`run.tenant`, a request that is already inside one passes `nullcontext`.
"""

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime, timedelta
from typing import IO, Any
from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Now
from django.http import StreamingHttpResponse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.text import get_valid_filename

from ispcore.errors import DomainError
from ispcore.files import tables
from ispcore.files.models import FileChunk, StoredFile
from ispcore.tenants.context import current_tenant_id, tenant_context

CHUNK_BYTES = 256 * 1024
# No role may view it: an uploaded file may hold passwords, and is for the job alone.
KEPT_FROM_ALL = "imports"
KEEP_FOR = timedelta(days=7)
KEEP_UPLOADS_FOR = timedelta(days=30)
UNFINISHED_FOR = timedelta(days=1)  # No writer takes longer.

Scope = Callable[[], AbstractContextManager[object]]


class FileNotComplete(DomainError):
    code = "file_not_complete"
    message = "The file is not complete; what makes it still runs, or has failed."


class FileExpired(DomainError):
    code = "file_expired"
    message = "This file was kept until {until} and is gone. Ask for it again where it came from."
    status = 404


class _Writer(io.RawIOBase):
    def __init__(self, file_id: UUID, scope: Scope) -> None:
        self._file_id, self._scope = file_id, scope
        self._index = self.size = 0
        self._buffer = bytearray()
        self._digest = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._buffer += data
        while len(self._buffer) >= CHUNK_BYTES:
            self._put(bytes(self._buffer[:CHUNK_BYTES]))
            del self._buffer[:CHUNK_BYTES]
        return len(data)

    def finish(self) -> str:
        if self._buffer:
            self._put(bytes(self._buffer))
            self._buffer.clear()
        return self._digest.hexdigest()

    def _put(self, piece: bytes) -> None:
        with self._scope():
            FileChunk.objects.create(file_id=self._file_id, index=self._index, content=piece)
        self._index += 1
        self.size += len(piece)
        self._digest.update(piece)


class _Reader(io.RawIOBase):
    def __init__(self, file: StoredFile, scope: Scope) -> None:
        self._file, self._scope = file, scope
        self._at = 0
        self._loaded: tuple[int, bytes] = (-1, b"")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._file.size_bytes}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        if self._at >= self._file.size_bytes:
            return 0
        index, start = divmod(self._at, CHUNK_BYTES)
        piece = self._chunk(index)[start : start + len(buffer)]
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def _chunk(self, index: int) -> bytes:
        if self._loaded[0] != index:
            with self._scope():
                rows = FileChunk.objects.filter(file=self._file, index=index)
                self._loaded = (index, bytes(rows.values_list("content", flat=True).get()))
        return self._loaded[1]


@contextmanager
def write_file(
    *,
    name: str,
    media_type: str,
    app_label: str,
    keep_for: timedelta | None = KEEP_FOR,
    user_id: UUID | None = None,
    scope: Scope = nullcontext,
) -> Iterator[tuple[StoredFile, IO[bytes]]]:
    """Give the row and a stream to write to; the file is complete when the block ends without an error.

    A block that raises, or a process that dies in it, leaves a row that is never shown and soon purged.
    """
    with scope():
        file: StoredFile = StoredFile.objects.create(
            name=name,
            media_type=media_type,
            app_label=app_label,
            expires_at=Now() + keep_for if keep_for else None,
            created_by_id=user_id,
        )
    writer = _Writer(file.pk, scope)
    yield file, writer  # type: ignore[misc]  # A RawIOBase is all that writing needs.
    file.sha256, file.size_bytes = writer.finish(), writer.size
    with scope():
        StoredFile.objects.filter(pk=file.pk).update(
            sha256=file.sha256, size_bytes=file.size_bytes, completed_at=Now()
        )
        file.refresh_from_db()


def store_upload(
    *,
    name: str,
    content: Iterable[bytes],
    keep_for: timedelta | None = KEEP_UPLOADS_FOR,
    user_id: UUID | None = None,
) -> StoredFile:
    """Keep an uploaded file for a job; it is purged by itself when nobody goes on with it, unless `keep_for` is None.

    Raises FileTooLarge.
    """
    shown_name = (get_valid_filename(name) if name.strip(". ") else "")[-200:] or "upload"
    with write_file(
        name=shown_name,
        media_type="application/octet-stream",
        app_label=KEPT_FROM_ALL,
        keep_for=keep_for,
        user_id=user_id,
    ) as (file, stream):
        size = 0
        for piece in content:
            size += len(piece)
            if size > tables.MAX_FILE_BYTES:
                raise tables.FileTooLarge
            stream.write(piece)
    return file


def refuse_expired(file: StoredFile, *, at: datetime) -> None:
    """Raise FileExpired for a file whose time is over, whether or not it is deleted already."""
    if file.expires_at is not None and file.expires_at <= at:
        raise FileExpired(until=f"{timezone.localtime(file.expires_at):%Y-%m-%d %H:%M}")


def open_file(file: StoredFile, *, scope: Scope = nullcontext) -> io.BufferedReader:
    """Open a complete file for reading, with seeking. Raises FileNotComplete."""
    if file.completed_at is None:
        raise FileNotComplete
    return io.BufferedReader(_Reader(file, scope), buffer_size=CHUNK_BYTES)


def download(file: StoredFile) -> StreamingHttpResponse:
    """Answer with a file as an attachment, read while it is sent. Raises FileNotComplete."""
    tenant_id = current_tenant_id()
    stream = open_file(file, scope=lambda: tenant_context(tenant_id))
    pieces = iter(lambda: stream.read(CHUNK_BYTES), b"")
    response = attachment(pieces, file.name, file.media_type)
    response["Content-Length"] = str(file.size_bytes)
    return response


def attachment(pieces: Iterable[bytes], name: str, media_type: str) -> StreamingHttpResponse:
    """Answer with what is kept on the caller's machine, and neither shown nor guessed at by a browser."""
    response = StreamingHttpResponse(pieces, content_type=media_type)
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cache-Control"] = "no-store"
    return response


def purge_files() -> int:
    """Delete the bound tenant's files that have expired or were never finished; return how many."""
    unfinished = Q(completed_at=None, created_at__lt=Now() - UNFINISHED_FOR)
    count, _ = StoredFile.objects.filter(Q(expires_at__lt=Now()) | unfinished).delete()
    return count
