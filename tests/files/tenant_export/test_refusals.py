"""What is no export, is not this version's, or does not fit here, changes nothing."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from ispcore.errors import DomainError
from ispcore.files.tenant_export import manifest, restoring, sealing, writing
from ispcore.files.tenant_export.reading import NotAnExport, OtherFormat, OtherMigrations
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from tests.aaa.online import make_account
from tests.factories import PonPortFactory, ZoneFactory
from tests.files.tenant_export.conftest import Export
from tests.files.tenant_export.elsewhere import elsewhere, make_nas, owner_there, restore, tenants_there

pytestmark = [
    pytest.mark.django_db(databases=["default", "platform"], transaction=True),
    pytest.mark.usefixtures("second_installation"),
]
PASSPHRASE = "correct horse battery staple"
ZONES = "tables/subscribers.Zone.ndjson"
Change = Callable[[dict[str, bytes]], None]


@pytest.fixture
def path(tenant: Tenant, tmp_path: Path, export: Export) -> Path:
    with tenant_context(tenant.pk):
        ZoneFactory(name="Centre")
        make_nas()
        make_account("jane")
        PonPortFactory()
    export(tmp_path / "all.zip", PASSPHRASE)
    return tmp_path / "all.zip"


def rewrite(path: Path, change: Change) -> None:
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    change(entries)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)


def told(**changes: Any) -> Change:
    def change(entries: dict[str, bytes]) -> None:
        entries[manifest.MANIFEST] = json.dumps(json.loads(entries[manifest.MANIFEST]) | changes).encode()

    return change


def retold(entries: dict[str, bytes], label: str, content: bytes) -> None:
    """Change a table, and what the manifest says of its size and checksum with it."""
    part = writing.Part(None, label)
    with part.opened():
        for line in content.splitlines():
            part.add(line, b"")
    entries[manifest.entry_of(label)] = content
    found = json.loads(entries[manifest.MANIFEST])
    found["tables"][label] |= part.figures()
    entries[manifest.MANIFEST] = json.dumps(found).encode()


def one_byte(entries: dict[str, bytes]) -> None:
    entries[ZONES] = entries[ZONES].replace(b"Centre", b"Centra")


def longer(entries: dict[str, bytes]) -> None:
    entries[ZONES] += entries[ZONES]


def without_a_table(entries: dict[str, bytes]) -> None:
    del entries[ZONES]


def with_a_path(entries: dict[str, bytes]) -> None:
    entries["../../etc/cron.d/evil"] = b"* * * * * root true"


def with_a_bomb(entries: dict[str, bytes]) -> None:
    entries[ZONES] = b"0" * 50_000_000


def without_manifest(entries: dict[str, bytes]) -> None:
    del entries[manifest.MANIFEST]


def nonsense(entries: dict[str, bytes]) -> None:
    entries[manifest.MANIFEST] = b"[" * 100_000


def other_migrations(entries: dict[str, bytes]) -> None:
    state = json.loads(entries[manifest.MANIFEST])["migrations"]
    told(migrations=state | {"billing": ["0001_initial"]})(entries)


def not_json(entries: dict[str, bytes]) -> None:
    retold(entries, "subscribers.Zone", b"this is no row\n")


def a_column_too_many_by_a_tab(entries: dict[str, bytes]) -> None:
    retold(entries, "subscribers.Zone", entries[ZONES].rstrip(b"\n") + b"\tmore\n")


def another_row(entries: dict[str, bytes]) -> None:
    row = json.loads(entries[ZONES])
    other = row | {"id": "01900000-0000-7000-8000-000000000000", "name": None}
    retold(entries, "subscribers.Zone", json.dumps(other).encode() + b"\n")


def other_totals(entries: dict[str, bytes]) -> None:
    found = json.loads(entries[manifest.MANIFEST])["totals"]
    found["money"]["Booked"] = {"EUR": "1000000.00"}
    told(totals=found)(entries)


def points_nowhere(entries: dict[str, bytes]) -> None:
    name = manifest.entry_of("hardware.PonPort")
    row = json.loads(entries[name]) | {"olt_id": "01900000-0000-7000-8000-000000000000"}
    retold(entries, "hardware.PonPort", json.dumps(row, separators=(",", ":")).encode() + b"\n")


def clear_secret(entries: dict[str, bytes]) -> None:
    name = manifest.entry_of("aaa.Nas")
    row = json.loads(entries[name]) | {"secret": "x1.AAAA"}
    retold(entries, "aaa.Nas", json.dumps(row, separators=(",", ":")).encode() + b"\n")


@pytest.mark.parametrize(
    ("change", "refusal", "words"),
    [
        (one_byte, NotAnExport, "checksum"),
        (longer, NotAnExport, "another size"),
        (without_a_table, NotAnExport, "subscribers.Zone has another size"),
        (with_a_path, NotAnExport, "cron.d"),
        (with_a_bomb, NotAnExport, "200 times"),
        (without_manifest, NotAnExport, "no manifest"),
        (nonsense, NotAnExport, "manifest cannot be read"),
        (told(format=2), OtherFormat, "format 2"),
        (told(product="Another"), NotAnExport, "another product"),
        (told(tenant={"id": "1"}), NotAnExport, "manifest cannot be read"),
        (
            told(passphrase={"salt": "AAAA", "check": "x1.AAAA"}),
            sealing.WrongPassphrase,
            "not the passphrase",
        ),
        (told(passphrase=None), NotAnExport, "how its secrets are sealed"),
        (other_migrations, OtherMigrations, "billing is at 0001_initial"),
        (not_json, restoring.Refused, "subscribers.Zone"),
        (a_column_too_many_by_a_tab, restoring.Refused, "subscribers.Zone"),
        (another_row, restoring.Refused, "null value"),
        (points_nowhere, restoring.Refused, "rows that point at others"),
        (clear_secret, sealing.WrongPassphrase, "not the passphrase"),
        (other_totals, restoring.NotAsWritten, "Booked"),
    ],
)
def test_a_file_that_is_not_as_it_was_made(
    path: Path, change: Change, refusal: type[DomainError], words: str
) -> None:
    rewrite(path, change)

    with pytest.raises(refusal, match=words):
        restore(path, PASSPHRASE)

    assert tenants_there() == []


@pytest.mark.parametrize("share", [0.3, 0.999])
def test_half_a_file(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])

    with pytest.raises(NotAnExport):
        restore(path, PASSPHRASE)

    assert tenants_there() == []


def test_an_entry_that_is_there_twice(path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr(ZONES, b"{}\n")

    with pytest.raises(NotAnExport, match="twice"):
        restore(path, PASSPHRASE)

    assert tenants_there() == []


@pytest.mark.parametrize(
    ("passphrase", "refusal"),
    [("", restoring.PassphraseNeeded), ("wrong horse battery staple", sealing.WrongPassphrase)],
)
def test_another_passphrase(path: Path, passphrase: str, refusal: type[DomainError]) -> None:
    with pytest.raises(refusal):
        restore(path, passphrase)

    assert tenants_there() == []


def test_a_provider_that_is_here_already(path: Path, tenant: Tenant) -> None:
    with elsewhere():
        Tenant.objects.create(slug=tenant.slug, name="Somebody else")

    with pytest.raises(restoring.TenantExists, match="north"):
        restore(path, PASSPHRASE)

    with owner_there() as owner:
        assert owner.execute("SELECT name FROM tenants_tenant").fetchall() == [("Somebody else",)]
        assert owner.execute("SELECT count(*) FROM subscribers_zone").fetchone() == (0,)


def test_twice(path: Path) -> None:
    restore(path, PASSPHRASE)

    with pytest.raises(restoring.TenantExists):
        restore(path, PASSPHRASE)

    assert tenants_there() == ["north"]


def test_a_nas_whose_address_another_provider_has(path: Path) -> None:
    with elsewhere():
        other = Tenant.objects.create(slug="south", name="South")
        with tenant_context(other.pk):
            make_nas()

    with pytest.raises(restoring.Refused, match=r"aaa\.Nas.*nas_address_unique"):
        restore(path, PASSPHRASE)

    assert tenants_there() == ["south"]


def test_the_runtime_role(path: Path) -> None:
    with elsewhere(), pytest.raises(restoring.NotTheOwner, match="isp_app"):
        restoring.restore(path, passphrase=PASSPHRASE, tell=lambda message: None)

    assert tenants_there() == []


def test_triggers_work_again_afterwards(path: Path, tenant: Tenant) -> None:
    restore(path, PASSPHRASE)

    with owner_there() as owner:
        asleep = owner.execute("SELECT count(*) FROM pg_trigger WHERE tgenabled <> 'O'").fetchone()
    assert asleep == (0,)


def test_a_passphrase_that_is_too_short(tenant: Tenant) -> None:
    stream = io.BytesIO()

    with pytest.raises(sealing.PassphraseTooShort):
        writing.write(stream, tenant, at=timezone.now(), passphrase="short", progress=lambda *told: None)

    assert stream.getvalue() == b""
