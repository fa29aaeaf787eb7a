"""What becomes of rows: created, updated, skipped, bad; and that the check said so before."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from ispcore.admin.history import history_model
from ispcore.errors import DomainError
from ispcore.events.models import Event
from ispcore.files.models import StoredFile
from ispcore.jobs.models import Job, JobStatus
from ispcore.tenants.context import tenant_context
from subscribers.models import (
    Import,
    ImportStatus,
    Premise,
    Subscriber,
    SubscriberSettings,
    SubscriberWord,
    Subscription,
)
from subscribers.services import customers, imports
from tests.factories import BillingProfileFactory, PlanFactory, ZoneFactory
from tests.subscribers.importing import (
    check,
    counts,
    csv_of,
    errors,
    import_file,
    perform,
    take_in,
    upload,
    xlsx_of,
)

pytestmark = pytest.mark.django_db
HEADER = ["external_id", "name", "phone", "address", "plan", "service status"]


def test_a_checked_file_is_taken_in_with_services(acting):
    PlanFactory(code="FIBRE-100")
    content = csv_of(
        [
            ["Nome", "Telefone", "Morada", "Plano", "Estado do serviço"],
            ["Maria Santos", "+351 912 345 678", "Rua do Porto 12", "fibre-100", "ativo"],
            ["João Costa", "", "", "", ""],
            ["", "+351 912 345 679", "", "", ""],
        ]
    )

    of_import = check(upload(content), acting)

    assert Job.objects.get().status == JobStatus.SUCCEEDED
    assert (of_import.status, counts(of_import)) == (ImportStatus.CHECKED, (2, 0, 0, 1))
    assert errors(of_import) == [(4, "full_name", "Name: A name is needed.")]
    assert [row["outcome"] for row in of_import.preview] == ["created", "created", "bad"]
    assert of_import.preview[0]["values"]["phone"] == "+351912345678"
    assert not Subscriber.objects.exists()
    assert not Event.objects.exists()

    take_in(of_import, acting)

    assert (of_import.status, counts(of_import)) == (ImportStatus.IMPORTED, (2, 0, 0, 1))
    maria, joao = Subscriber.objects.order_by("number")
    assert (maria.number, maria.full_name, maria.status) == ("SUB-000001", "Maria Santos", "active")
    assert (joao.number, joao.full_name, joao.status) == ("SUB-000002", "João Costa", "prospect")
    line = Subscription.objects.get()
    assert (line.subscriber, line.number, line.plan.code, line.status) == (maria, 1, "FIBRE-100", "active")
    assert line.provisioned_at is not None
    assert (line.premise.address_line1, line.premise.address_key) == ("Rua do Porto 12", "r do porto 12")


def test_a_record_taken_in_is_one_made_by_hand(acting):
    given: dict[str, Any] = {
        "full_name": "Ana Łącka", "external_id": "C-1", "email": "Ana@Customer.example", "phone": "+351 912 345 678",
        "document_number": "12.34-ab", "address_line1": "Rua A 1", "city": "Porto", "country": "PT",
    }  # fmt: skip
    made = customers.create_subscriber(
        **{**given, "external_id": "C-2"}, tags=["VIP", "b"], metadata={"x": "1"}
    )
    content = csv_of(
        [[*given, "tags", "metadata.x"], [*given.values(), "VIP; b", "1"]],
    )

    import_file(content, acting)

    imported = Subscriber.objects.get(external_id="C-1")
    unlike = {"id", "number", "external_id", "created_at", "updated_at"}
    names = {field.name for field in Subscriber._meta.local_fields} - unlike
    assert {n: getattr(imported, n) for n in names} == {n: getattr(made, n) for n in names}
    words = {
        who.pk: set(SubscriberWord.objects.filter(subscriber=who).values_list("word", flat=True))
        for who in (made, imported)
    }
    own = {"1", "2", "000001", "000002"}
    assert words[made.pk] - own == words[imported.pk] - own
    assert Event.objects.filter(name="subscribers.subscriber_created").count() == 2
    versions: Any = history_model(Subscriber)
    assert [versions.objects.filter(pgh_obj=who).count() for who in (made, imported)] == [1, 1]


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("name", "=HYPERLINK(1)", "Name: A name does not begin with “=”: a spreadsheet would take it for a formula."),
        ("name", "x" * 201, "Name: At most 200 characters."),
        ("email", "nobody", "E-mail: This is no e-mail address."),
        ("phone", "12", "Phone: This is no phone number; begin with + and the country code."),
        ("country", "Portugal", "Country: Two letters of ISO 3166, for example PT."),
        ("status", "suspended", "Status: Give prospect or active. Other states are reached in the subscriber's page."),
        ("billing profile", "None", "Billing profile: There is no billing profile “None”."),
        ("plan", "Theirs", "Plan, by code or name: There is no plan with the code or name “Theirs”."),
        ("zone", "Theirs", "Zone, by name: There is no zone “Theirs”."),
        ("terms accepted", "03/04/2020", "Terms accepted: 03/04/2020 can be one of two days. Write it as 2026-01-31."),
        ("terms accepted", "2999-01-01", "Terms accepted: Give a day such as 2026-01-31."),
        ("terms accepted", "2199-01-01", "Terms accepted: This moment lies in the future."),
        ("service status", "suspended",
         "Service status: A suspended service needs the reason of its hold: give active, then suspend it."),
        ("wifi password", "short", "WiFi password: 8 to 63 printable ASCII characters."),
    ],
)  # fmt: skip
def test_a_cell_that_is_wrong_is_told_at_its_field(column, cell, message, acting, other_tenant):
    with tenant_context(other_tenant.pk):
        PlanFactory(code="Theirs", name="Theirs")
        ZoneFactory(name="Theirs")
        BillingProfileFactory(name="None")
    PlanFactory(code="OURS")
    row = {"name": "Maria", "plan": "OURS", "address": "Rua A 1", column: cell}

    of_import = check(upload(csv_of([list(row), list(row.values())])), acting)

    assert [error[2] for error in errors(of_import)] == [message]
    assert "short" not in str(list(of_import.errors.values_list("values", "message")))


def test_two_of_one_file_with_the_same_are_told_by_row(acting):
    SubscriberSettings.objects.create(duplicate_rules=["phone"])
    content = csv_of(
        [HEADER[:3], ["A", "One", "+351912345678"], ["A", "Two", ""], ["B", "Three", "+351 912-345-678"]]
    )

    of_import = check(upload(content), acting)

    assert errors(of_import) == [
        (3, "external_id", "External ID: Row 2 of this file has the same External ID."),
        (4, "phone", "Phone: Row 2 of this file has the same phone."),
    ]


def test_what_is_stored_already_is_refused_by_default(acting):
    SubscriberSettings.objects.create(duplicate_rules=["phone", "email", "document"])
    held = customers.create_subscriber(
        full_name="Old",
        external_id="A",
        phone="+351912345678",
        email="a@customer.example",
        document_number="1-2",
    )
    rows = [
        ["external_id", "name", "phone", "email", "document"],
        ["A", "One", "", "", ""],
        ["", "Two", "+351 912 345 678", "", ""],
        ["", "Three", "", "A@customer.example", ""],
        ["", "Four", "", "", "12"],
        ["", "Five", "", "", ""],
    ]

    of_import = import_file(csv_of(rows), acting)

    assert counts(of_import) == (1, 0, 0, 4)
    assert [error[1] for error in errors(of_import)] == ["external_id", "phone", "email", "document_number"]
    assert all(held.number in error[2] for error in errors(of_import))
    assert set(Subscriber.objects.values_list("full_name", flat=True)) == {"Old", "Five"}


def test_skip_leaves_records_as_they_are(acting):
    customers.create_subscriber(full_name="Old", external_id="A")

    of_import = import_file(
        csv_of([HEADER[:2], ["A", "New"], ["B", "Other"], ["B", "Again"]]), acting, on_duplicate="skip"
    )

    assert counts(of_import) == (1, 0, 2, 0)
    assert list(Subscriber.objects.order_by("number").values_list("full_name", flat=True)) == ["Old", "Other"]


def test_update_changes_what_the_row_gives_and_adds_its_service(acting):
    PlanFactory(code="P1")
    old = customers.create_subscriber(
        full_name="Old", external_id="A", email="a@customer.example", tags=["x"]
    )
    content = csv_of(
        [
            [*HEADER, "isp reference"],
            ["A", "New Name", "", "Rua A 1", "P1", "active", "R-1"],
            ["A", "", "", "", "P1", "active", "R-2"],
            ["B", "Other", "", "", "", "", ""],
        ]
    )

    first = import_file(content, acting, on_duplicate="update")
    again = import_file(content, acting, on_duplicate="update", again=True)

    assert counts(first) == (1, 2, 0, 0)
    assert counts(again) == (0, 0, 3, 0)
    old.refresh_from_db()
    assert (old.full_name, old.email, old.tags) == ("New Name", "a@customer.example", ["x"])
    assert sorted(Subscription.objects.values_list("isp_reference", flat=True)) == ["R-1", "R-2"]
    assert customers.search_subscribers(Subscriber.objects.all(), "new name").get() == old
    assert not customers.search_subscribers(Subscriber.objects.all(), "old").exists()


def test_update_refuses_a_row_of_two_records(acting):
    SubscriberSettings.objects.create(duplicate_rules=["phone"])
    customers.create_subscriber(full_name="One", external_id="A")
    customers.create_subscriber(full_name="Two", external_id="B", phone="+351912345678")
    content = csv_of(
        [HEADER[:3], ["A", "One", "+351912345678"], ["C", "Two", "+351912345678"]],
    )

    of_import = import_file(content, acting, on_duplicate="update")

    assert [error[1] for error in errors(of_import)] == ["phone", "external_id"]
    assert list(Subscriber.objects.order_by("number").values_list("full_name", flat=True)) == ["One", "Two"]


def test_a_service_with_another_plan_is_not_changed_by_the_way(acting):
    PlanFactory(code="P1")
    PlanFactory(code="P2")
    row = ["A", "One", "", "Rua A 1", "P1", "active", "R-1"]
    header = [*HEADER, "isp reference"]
    import_file(csv_of([header, row]), acting)
    row[4] = "P2"

    of_import = import_file(csv_of([header, row]), acting, on_duplicate="update")

    assert errors(of_import)[0][1:] == (
        "plan",
        "Plan, by code or name: Service 1 has another plan. Change it in the service's page.",
    )
    assert Subscription.objects.get().plan.code == "P1"


def test_a_service_needs_an_address_and_a_plan_that_is_sold(acting):
    PlanFactory(code="OLD", sold_until="2020-01-01")
    content = csv_of(
        [
            ["name", "plan", "service status", "premise address", "premise city"],
            ["No address", "OLD", "active", "", ""],
            ["Not sold", "OLD", "", "Rua B 2", "Porto"],
            ["Has it already", "OLD", "active", "Rua B 2", "Porto"],
            ["No plan", "", "", "Rua B 2", ""],
        ]
    )

    of_import = import_file(content, acting)

    assert [error[:2] for error in errors(of_import)] == [(2, "premise_line1"), (3, "plan"), (5, "plan")]
    assert str(Premise.objects.get()) == "Rua B 2, Porto"


def test_the_same_file_is_refused_until_it_is_asked_for_again(acting):
    content = csv_of([["name"], ["Maria"]])
    import_file(content, acting)

    with pytest.raises(imports.FileAlreadyImported, match=r"customers\.csv"):
        upload(content)

    assert Import.objects.count() == 1
    assert not StoredFile.objects.exists()
    assert upload(content, again=True).status == ImportStatus.UPLOADED


def test_the_message_of_a_job_that_ended_does_nothing(acting):
    of_import = import_file(csv_of([["name"], ["Maria"]]), acting)
    job = of_import.job

    perform(job, of_import, acting)
    Job.objects.filter(pk=job.pk).update(status=JobStatus.QUEUED, finished_at=None)
    perform(job, of_import, acting)

    assert counts(of_import) == (1, 0, 0, 0)
    assert Subscriber.objects.count() == 1


@pytest.mark.parametrize("make", [csv_of, xlsx_of])
def test_the_error_file_comes_back_corrected(make, acting):
    content = make(
        [
            ["name", "email", "wifi password", "plan"],
            ["Maria", "a@customer.example", "", ""],
            ["+Rui", "wrong", "", ""],
        ]
    )
    name = "clients.xlsx" if make is xlsx_of else "clients.csv"
    of_import = import_file(content, acting, name=name)

    bad = b"".join(imports.error_file(of_import))

    if make is csv_of:
        table = list(csv.reader(io.StringIO(bad.decode("utf-8-sig"), newline="")))
        assert table[0] == ["name", "email", "wifi password", "plan", "row", "error"]
        assert table[1][:5] == ["'+Rui", "wrong", "", "", "3"]
        bad = bad.replace(b"'+Rui,wrong", b"Rui,r@customer.example")
        again = import_file(bad, acting)
        assert counts(again) == (1, 0, 0, 0)
    assert imports.error_file_name(of_import) == f"clients - errors.{of_import.file_format}"


def test_no_password_is_seen_outside_its_column(acting):
    PlanFactory(code="P1")
    content = csv_of(
        [
            ["name", "address", "plan", "WPA key"],
            ["Maria", "Rua A 1", "P1", "correct-horse"],
            ["", "Rua A 1", "P1", "correct-horse"],
        ]
    )

    of_import = check(upload(content), acting)
    shown = str([of_import.samples, of_import.preview, list(of_import.errors.values())])
    take_in(of_import, acting)

    assert of_import.mapping["WPA key"] == "wifi_password"
    assert "correct-horse" not in shown
    assert b"correct-horse" not in b"".join(imports.error_file(of_import))
    assert Subscription.objects.get().wifi_password.matches("correct-horse")
    assert not StoredFile.objects.exists()


def test_the_columns_can_be_changed_until_the_first_row_is_in(acting):
    of_import = upload(csv_of([["Quem", "Cor"], ["Maria", "azul"]]))
    assert of_import.mapping == {}
    with pytest.raises(imports.WrongMapping, match="Say which column holds the subscriber's name"):
        imports.request_check(import_id=of_import.pk)

    imports.change_import(import_id=of_import.pk, mapping={"Quem": "full_name", "Cor": "metadata.Cor"})
    take_in(check(of_import, acting), acting)

    assert Subscriber.objects.get().metadata == {"Cor": "azul"}
    with pytest.raises(imports.ImportIsOver):
        imports.change_import(import_id=of_import.pk, mapping={})


@pytest.mark.parametrize(
    ("mapping", "why"),
    [
        ({"nobody": "full_name"}, "no column “nobody”"),
        ({"name": "nonsense"}, "no field “nonsense”"),
        ({"name": "full_name", "city": "full_name"}, "both fill “Name”"),
        ({"name": "custom.unknown"}, "no field “custom.unknown”"),
    ],
)
def test_a_mapping_that_cannot_be_is_refused(mapping, why, acting):
    of_import = upload(b"name,city\nMaria,Porto\n")

    with pytest.raises(imports.WrongMapping, match=why):
        imports.change_import(import_id=of_import.pk, mapping=mapping)

    of_import.refresh_from_db()
    assert of_import.mapping == {"name": "full_name", "city": "city"}


def test_nothing_is_taken_in_unchecked_and_a_change_asks_for_a_new_check(acting):
    of_import = upload(b"name,city\nMaria,Porto\n")
    with pytest.raises(imports.ImportNotChecked):
        imports.request_run(import_id=of_import.pk)
    check(of_import, acting)

    imports.change_import(import_id=of_import.pk, on_duplicate="skip")

    with pytest.raises(imports.ImportNotChecked):
        imports.request_run(import_id=of_import.pk)
    assert not Subscriber.objects.exists()


def test_a_discarded_file_is_gone(acting):
    of_import = upload(b"name\nMaria\n")

    imports.discard_import(import_id=of_import.pk)
    imports.discard_import(import_id=of_import.pk)

    assert not StoredFile.objects.exists()
    with pytest.raises(DomainError):
        imports.request_check(import_id=of_import.pk)


def test_what_nobody_went_on_with_is_discarded(acting):
    old, young = upload(b"name\nMaria\n"), upload(b"name\nRui\n")
    Import.objects.filter(pk=old.pk).update(updated_at=timezone.now() - timedelta(days=31))

    assert imports.forget_old_imports(at=timezone.now()) == 1

    old.refresh_from_db()
    young.refresh_from_db()
    assert (old.status, old.file, young.status) == (ImportStatus.DISCARDED, None, ImportStatus.UPLOADED)
    assert imports.forget_old_imports(at=timezone.now()) == 0
