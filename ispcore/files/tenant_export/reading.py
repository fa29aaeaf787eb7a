"""Reading: an archive that may be anything, looked at before a row of it is believed."""

import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from ispcore.errors import DomainError
from ispcore.files.tenant_export import contents, manifest

MOST_MANIFEST_BYTES = 4 * 1024 * 1024
MOST_LINE_BYTES = 64 * 1024 * 1024  # A piece of a file is half a MiB, the largest other column a few.
# Rows of a table seldom become a tenth of their size; DEFLATE at its best makes a thousandth.
MOST_RATIO, ALWAYS_FINE_BYTES = 200, 1024 * 1024
PIECE_BYTES = 1024 * 1024


class NotAnExport(DomainError):
    code = "not_an_export"
    message = "This is no whole export of a provider: {why}. Nothing was restored."


class OtherFormat(DomainError):
    code = "other_format"
    message = "The file has format {found}, and this version reads {known}. Restore it with the version that made it."


class OtherMigrations(DomainError):
    code = "other_migrations"
    message = "It was made by another version: {differences}. Restore it with that version, then upgrade."


class Archive:
    """An opened export whose manifest fits this version and whose entries are those the manifest lists."""

    def __init__(self, path: Path, tables: list[contents.Table]) -> None:
        """Raises NotAnExport, OtherFormat, OtherMigrations."""
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise NotAnExport(why=f"it cannot be opened as a ZIP file ({error})") from error
        try:
            self._sizes = self._entries(tables)
            self.manifest = self._read_manifest()
            self._compare(tables)
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *exc: object) -> None:
        self._zip.close()

    def lines(self, label: str) -> Iterator[list[bytes]]:
        """Give an entry's lines, some at a time; the digest is compared at the end. Raises NotAnExport."""
        figures = self.figures(label)
        digest, size, rest = hashlib.sha256(), 0, b""
        try:
            with self._zip.open(manifest.entry_of(label)) as entry:
                while piece := entry.read(PIECE_BYTES):
                    digest.update(piece)
                    size += len(piece)
                    if size > figures["bytes"]:
                        raise NotAnExport(why=f"{label} is longer than its manifest says")
                    *lines, rest = (rest + piece).split(b"\n")
                    if len(rest) > MOST_LINE_BYTES:
                        raise NotAnExport(why=f"{label} has a line of more than {MOST_LINE_BYTES >> 20} MiB")
                    if lines:
                        yield lines
        except (
            zipfile.BadZipFile,
            zlib.error,
            OSError,
            EOFError,
            NotImplementedError,
            RuntimeError,
        ) as error:
            raise NotAnExport(why=f"{label} cannot be read ({error})") from error
        if rest or digest.hexdigest() != figures["sha256"]:
            raise NotAnExport(why=f"the checksum of {label} is another than its manifest's")

    def figures(self, label: str) -> dict[str, Any]:
        listed = self.manifest["tables"]
        found: dict[str, Any] = self.manifest[manifest.USERS] if label == manifest.USERS else listed[label]
        return found

    def _entries(self, tables: list[contents.Table]) -> dict[str, int]:
        """Nothing is ever written to a path that an archive names, and no entry is read that has no place here."""
        known = {manifest.entry_of(each.label) for each in tables}
        known |= {manifest.entry_of(manifest.USERS), manifest.MANIFEST}
        sizes: dict[str, int] = {}
        for each in self._zip.infolist():
            if each.filename not in known and not _may_be_of_another_version(each.filename):
                raise NotAnExport(why=f"it holds {each.filename[:80]!r}, which no export does")
            if each.filename in sizes:
                raise NotAnExport(why=f"it holds {each.filename} twice")
            if each.file_size > max(ALWAYS_FINE_BYTES, MOST_RATIO * each.compress_size):
                raise NotAnExport(why=f"{each.filename} would grow {MOST_RATIO} times and more when unpacked")
            sizes[each.filename] = each.file_size
        return sizes

    def _read_manifest(self) -> dict[str, Any]:
        if self._sizes.get(manifest.MANIFEST, MOST_MANIFEST_BYTES + 1) > MOST_MANIFEST_BYTES:
            raise NotAnExport(why="it has no manifest, or one that is too long")
        try:
            found = json.loads(self._zip.read(manifest.MANIFEST))
            _check_shape(found)
        except (ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error, RecursionError) as error:
            raise NotAnExport(why=f"its manifest cannot be read ({type(error).__name__}: {error})") from error
        return dict(found)

    def _compare(self, tables: list[contents.Table]) -> None:
        here = manifest.migrations()
        there = self.manifest["migrations"]
        different = [
            f"{label} is at {_names(there.get(label))}, here at {_names(here.get(label))}"
            for label in sorted(here.keys() | there.keys())
            if here.get(label) != there.get(label)
        ]
        listed = self.manifest["tables"]
        for each in tables:
            if each.label in listed and sorted(each.columns) != listed[each.label]["columns"]:
                different.append(f"{each.label} has other columns")
        only = sorted({each.label for each in tables} ^ set(listed))
        if only:
            different.append(f"only one of the two has {', '.join(only)}")
        if different:
            raise OtherMigrations(differences="; ".join(different))
        for label in [*listed, manifest.USERS]:
            if self._sizes.get(manifest.entry_of(label)) != self.figures(label)["bytes"]:
                raise NotAnExport(why=f"{label} has another size than its manifest says")


def _may_be_of_another_version(name: str) -> bool:
    """Let the manifest say so, instead of calling a file of another version broken."""
    folder, _, rest = name.partition("/")
    label = rest.removesuffix(".ndjson")
    return folder == "tables" and rest != label and label.replace(".", "").isalnum()


def _check_shape(found: Any) -> None:
    """Raises KeyError, TypeError, ValueError or OtherFormat."""
    if found["product"] != "ISPCore":
        raise ValueError("it is another product's")
    if found["format"] != manifest.FORMAT:
        raise OtherFormat(found=found["format"], known=manifest.FORMAT)
    UUID(found["tenant"]["id"])
    for name in ("slug", "name", "timezone", "created_at"):
        if not isinstance(found["tenant"][name], str):
            raise TypeError(f"tenant.{name}")
    for figures in [*found["tables"].values(), found[manifest.USERS]]:
        if not (isinstance(figures["rows"], int) and isinstance(figures["bytes"], int)):
            raise TypeError("figures")
        str(figures["sha256"]), str(figures["content_sha256"])
    for member in ("migrations", "totals", "secrets"):
        if not isinstance(found[member], dict):
            raise TypeError(member)
    (
        found["passphrase"],
        found["secrets"]["are_carried"],
        found["totals"]["money"],
        found["totals"]["by_status"],
    )


def _names(names: list[str] | None) -> str:
    return ", ".join(names) if names else "nothing"
