"""A secret comes from the environment or from a file, and what is wrong with it is said plainly."""

import re
from pathlib import Path

import pytest

from ispcore.environment import SECRETS, SecretUnreadable, read_secret, with_secrets
from tests.operations.production import PROJECT, manage


def test_is_what_the_environment_says():
    assert read_secret("SECRET_KEY", "none", given={"SECRET_KEY": "s3cret"}) == "s3cret"


@pytest.mark.parametrize("given", [{}, {"SECRET_KEY": ""}, {"SECRET_KEY": "", "SECRET_KEY_FILE": ""}])
def test_is_the_default_where_nothing_is_said(given):
    assert read_secret("SECRET_KEY", "none", given=given) == "none"


def test_is_what_the_file_holds_without_the_end_of_its_line(tmp_path):
    file = tmp_path / "secret_key"
    file.write_text("s3cret\n")

    assert read_secret("SECRET_KEY", given={"SECRET_KEY_FILE": str(file)}) == "s3cret"


def test_both_at_once_are_refused(tmp_path):
    given = {"SECRET_KEY": "one", "SECRET_KEY_FILE": str(tmp_path / "other")}

    with pytest.raises(
        SecretUnreadable, match=r"^SECRET_KEY and SECRET_KEY_FILE are both set\. Remove one of them\.$"
    ):
        read_secret("SECRET_KEY", given=given)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "which cannot be read: No such file or directory."),
        (b" \n", "which is empty."),
        (b"\xff\xfe", "which cannot be read: it is not text."),
    ],
)
def test_a_file_without_a_secret_is_refused(tmp_path, content, reason):
    file: Path = tmp_path / "secret_key"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(SecretUnreadable) as refused:
        read_secret("SECRET_KEY", given={"SECRET_KEY_FILE": str(file)})

    assert str(refused.value) == f"SECRET_KEY_FILE names {file}, {reason}"


def test_the_files_of_a_whole_environment_are_read(tmp_path):
    file = tmp_path / "url"
    file.write_text("redis://127.0.0.1/3")
    given = {"REDIS_URL_FILE": str(file), "PORT": "80", "SECRET_KEY": "s3cret", "METRICS_TOKEN_FILE": ""}

    assert with_secrets(given) == {
        "REDIS_URL": "redis://127.0.0.1/3",
        "PORT": "80",
        "SECRET_KEY": "s3cret",
        "METRICS_TOKEN_FILE": "",
    }


def test_no_secret_is_read_in_another_way():
    read = re.compile(rf"environ[^\n]*[\"']({'|'.join(SECRETS)})[\"']")

    assert read.findall((PROJECT / "ispcore" / "settings.py").read_text()) == []
    assert all(name in (PROJECT / ".env.example").read_text() for name in SECRETS)


def test_the_settings_read_the_file(tmp_path):
    file = tmp_path / "token"
    file.write_text("of-a-file\n")
    show = "from django.conf import settings; print(settings.METRICS_TOKEN)"

    found = manage("shell", "--no-imports", "-c", show, METRICS_TOKEN_FILE=str(file))
    refused = manage("check", METRICS_TOKEN_FILE=str(tmp_path / "missing"))

    assert found.stdout.strip() == "of-a-file", found.stderr
    assert refused.returncode != 0
    assert f"METRICS_TOKEN_FILE names {tmp_path / 'missing'}, which cannot be read" in refused.stderr
