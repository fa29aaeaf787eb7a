"""Files in the database: whole or not there, in constant memory, of one tenant."""

import hashlib
import io
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from ispcore.files import services
from ispcore.files.models import FileChunk, StoredFile
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant

CONTENT = bytes(range(256)) * 2500  # Two whole chunks and a part of a third.


def write(content: bytes = CONTENT, **fields: Any) -> StoredFile:
    with services.write_file(name="list.csv", media_type="text/csv", app_label="subscribers", **fields) as (
        file,
        stream,
    ):
        for start in range(0, len(content), 100_000):
            stream.write(content[start : start + 100_000])
    return file


@pytest.mark.django_db
@pytest.mark.usefixtures("acting")
class TestFile:
    def test_is_read_as_it_was_written(self) -> None:
        file = write()

        with services.open_file(file) as stream:
            assert stream.read() == CONTENT
            assert stream.seek(-5, io.SEEK_END) == len(CONTENT) - 5
            assert stream.read() == CONTENT[-5:]
            stream.seek(services.CHUNK_BYTES - 3)
            assert stream.read(6) == CONTENT[services.CHUNK_BYTES - 3 : services.CHUNK_BYTES + 3]
        assert file.size_bytes == len(CONTENT)
        assert file.sha256 == hashlib.sha256(CONTENT).hexdigest()
        assert FileChunk.objects.filter(file=file).count() == 3

    def test_is_not_readable_when_its_writer_failed(self) -> None:
        with (
            pytest.raises(ZeroDivisionError),
            services.write_file(name="x", media_type="text/csv", app_label="subscribers") as (file, _),
        ):
            _ = 1 / 0

        with pytest.raises(services.FileNotComplete):
            services.open_file(StoredFile.objects.get(pk=file.pk))

    def test_is_purged_when_it_has_expired(self) -> None:
        kept = write(keep_for=None)
        gone = write()
        StoredFile.objects.filter(pk=gone.pk).update(expires_at=timezone.now() - timedelta(seconds=1))

        services.purge_files()

        assert list(StoredFile.objects.values_list("pk", flat=True)) == [kept.pk]
        assert set(FileChunk.objects.values_list("file", flat=True)) == {kept.pk}


@pytest.mark.django_db(transaction=True)
def test_download_streams_after_the_request(tenant: Tenant) -> None:
    with tenant_context(tenant.pk):
        response = services.download(write())

    assert b"".join(response) == CONTENT
    assert response["Content-Disposition"] == 'attachment; filename="list.csv"'
