"""Imports as an integrator calls them."""

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from ispcore.api import parsers
from ispcore.tenants.context import tenant_context
from subscribers.models import Import, Subscriber
from tests.factories import PlanFactory
from tests.subscribers.importing import check as check_rows
from tests.subscribers.importing import csv_of, take_in

pytestmark = pytest.mark.django_db
CONTENT = csv_of([["name", "phone"], ["Maria Santos", "+351912345678"], ["", ""], ["Rui", "none"]])


def send(api, content: bytes = CONTENT, name: str = "clients.csv", key: str = "", **fields: Any):
    form = {"file": SimpleUploadedFile(name, content), **fields}
    headers = {"X_Idempotency_Key": key} if key else {}
    return api.send("post", "imports", encode_multipart(BOUNDARY, form), MULTIPART_CONTENT, **headers)


def test_a_file_is_uploaded_and_its_columns_are_guessed(api, acting):
    response = send(api, on_duplicate="update")

    data = response.json()["data"]
    assert response.status_code == 201
    assert response["Location"].endswith(f"/api/v1/imports/{data['id']}")
    assert (data["name"], data["status"], data["encoding"]) == ("clients.csv", "uploaded", "utf-8")
    assert data["mapping"] == {"name": "full_name", "phone": "phone"}
    assert data["on_duplicate"] == "update"
    assert not Subscriber.objects.exists()


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"mapping": "{"}, 422, "validation_error"),
        ({"mapping": json.dumps({"name": "nonsense"})}, 422, "validation_error"),
        ({"mapping": json.dumps(["name"])}, 422, "validation_error"),
        ({"on_duplicate": "merge"}, 422, "validation_error"),
        ({"again": "perhaps"}, 422, "validation_error"),
        ({"again": ""}, 422, "validation_error"),
        ({"encoding": "ebcdic"}, 422, "validation_error"),
        ({"colour": "red"}, 422, "validation_error"),
        ({"content": b"name,name\n"}, 422, "wrong_columns"),
        ({"content": b"\xd0\xcf\x11\xe0"}, 422, "file_unreadable"),
        ({"content": b""}, 422, "wrong_columns"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_kept(fields, status, code, api, acting):
    response = send(api, **fields)

    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert not Import.objects.exists()


def test_other_bodies_are_refused(api, acting, monkeypatch):
    missing = api.send("post", "imports", encode_multipart(BOUNDARY, {"again": "true"}), MULTIPART_CONTENT)
    as_json = api.post("imports", {"file": "x"})
    monkeypatch.setattr(parsers, "MAX_UPLOAD_BYTES", 100)
    too_large = send(api)
    with_key = send(api, key="k")

    assert missing.json()["error"]["code"] == "missing_field"
    assert as_json.status_code == 415
    assert [answer.status_code for answer in (too_large, with_key)] == [413, 413]
    assert too_large.json()["error"]["code"] == "request_too_large"
    assert not Import.objects.exists()


def test_a_repeated_upload_is_replayed_by_its_key(api, acting):
    first, again = send(api, key="k"), send(api, key="k")
    other = send(api, content=b"name\nOther\n", key="k")

    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 422)
    assert again["Idempotency-Replayed"] == "true"
    assert other.json()["error"]["code"] == "idempotency_key_reused"
    assert Import.objects.count() == 1


def test_a_large_file_with_a_key_is_taken(api, acting):
    content = b"name,city\n" + b"Maria,Porto\n" * 300_000

    response = send(api, content=content, key="k")

    assert response.status_code == 201
    assert Import.objects.get().size_bytes == len(content)


def test_the_columns_are_changed_and_a_wrong_one_is_refused(api, acting):
    pk = send(api).json()["data"]["id"]

    changed = api.patch(f"imports/{pk}", {"mapping": {"name": "full_name"}, "on_duplicate": "skip"})
    wrong = api.patch(f"imports/{pk}", {"mapping": {"name": "city", "phone": "city"}})

    assert changed.json()["data"]["mapping"] == {"name": "full_name"}
    assert wrong.json()["error"]["code"] == "validation_error"
    assert Import.objects.get().mapping == {"name": "full_name"}


def test_a_check_is_a_task_and_errors_are_listed_and_fetched(api, acting):
    pk = send(api).json()["data"]["id"]

    started = api.post(f"imports/{pk}/check", Prefer="respond-async")
    of_import = check_rows(Import.objects.get(), acting)
    listed = api.get(f"imports/{pk}/errors")
    fetched = api.get(f"imports/{pk}/errors/file")

    assert started.status_code == 202
    assert started.json()["data"]["kind"] == "subscribers.check_import"
    assert listed.json()["data"] == [
        {
            "row": 4, "field": "phone", "cells": ["Rui", "none"],
            "message": "Phone: This is no phone number; begin with + and the country code.",
        }
    ]  # fmt: skip
    assert listed.json()["meta"]["pagination"]["total"] == 1
    assert fetched["Content-Type"].startswith("text/csv")
    assert fetched["Content-Disposition"] == 'attachment; filename="clients - errors.csv"'
    assert b"".join(fetched.streaming_content).startswith(b"\xef\xbb\xbfname,phone,row,error\r\nRui,none,4,")
    take_in(of_import, acting)
    assert api.get(f"imports/{pk}").json()["data"]["rows_created"] == 1
    assert send(api).json()["error"]["code"] == "file_already_imported"
    assert send(api, again="true").status_code == 201


def test_a_run_before_the_check_is_refused(api, acting):
    pk = send(api).json()["data"]["id"]

    response = api.post(f"imports/{pk}/run")

    assert (response.status_code, response.json()["error"]["code"]) == (409, "import_not_checked")


def test_a_file_is_dropped(api, acting):
    pk = send(api).json()["data"]["id"]

    assert api.delete(f"imports/{pk}").status_code == 204

    assert api.get(f"imports/{pk}").json()["data"]["status"] == "discarded"
    assert Import.objects.get().file is None


def test_an_uploaded_file_is_for_nobody_to_fetch(api, acting):
    send(api)

    assert api.get("files").json()["data"] == []


def test_another_providers_plan_is_unknown(api, acting, other_tenant):
    with tenant_context(other_tenant.pk):
        PlanFactory(code="THEIRS")
    send(api, content=b"name,address,plan\nMaria,Rua A 1,THEIRS\n")

    of_import = check_rows(Import.objects.get(), acting)

    assert "There is no plan" in of_import.errors.get().message


@pytest.mark.django_db(transaction=True)
def test_a_worker_checks_and_takes_in(api, tenant, worker):
    pk = send(api).json()["data"]["id"]

    checked = api.post(f"imports/{pk}/check", Prefer="wait=30")
    done = api.post(f"imports/{pk}/run", Prefer="wait=30")

    assert (checked.status_code, checked.json()["data"]["status"]) == (200, "checked")
    assert [row["outcome"] for row in checked.json()["data"]["preview"]] == ["created", "bad"]
    assert (done.status_code, done.json()["data"]["rows_created"]) == (200, 1)
    with tenant_context(tenant.pk):
        assert Subscriber.objects.get().full_name == "Maria Santos"
