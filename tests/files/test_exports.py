"""Lists as files: what is in them, exactly, and what is not."""

import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from openpyxl import load_workbook

from aaa.models import Account, Nas, SessionAction, Voucher
from ispcore.crypto import SecretField
from ispcore.files import exports
from ispcore.files.models import StoredFile
from ispcore.jobs.models import JobStatus
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from subscribers.models import CustomField, CustomFieldKind, Hold, Plan, PlanZone, Subscriber
from subscribers.services import customers
from tests.aaa.online import make_account, make_nas
from tests.api.records import MAKE, make_drift
from tests.factories import (
    AddressFactory,
    BillingProfileFactory,
    OltFactory,
    OnuFactory,
    PlanFactory,
    PonPortFactory,
    PremiseFactory,
    SubscriberFactory,
    SubscriptionFactory,
    ZoneFactory,
)
from tests.files.exported import content_of, exported, request_export, run, table_of

pytestmark = pytest.mark.django_db

LISTS = [
    "subscribers", "services", "premises", "zones", "internet-plans", "billing-profiles", "olts", "onus", "addresses",
    "drifts", "accounts", "nas", "session-actions", "vouchers",
]  # fmt: skip


def make_subscriber(**fields: Any) -> Subscriber:
    return customers.create_subscriber(**{"full_name": "Jane Doe", **fields})


@pytest.mark.usefixtures("acting")
class TestContent:
    def test_of_subscribers(self) -> None:
        CustomField.objects.create(key="born", label="Born", kind=CustomFieldKind.DATE, position=2)
        CustomField.objects.create(key="score", label="Score", kind=CustomFieldKind.NUMBER, position=1)
        CustomField.objects.create(key="vip", label="VIP", kind=CustomFieldKind.BOOLEAN, position=3)
        jane = make_subscriber(
            full_name="José Álvares",
            email="jose@north.example",
            phone="+351912345678",
            external_id="CRM-7",
            billing_profile_id=BillingProfileFactory(name="Monthly").pk,
            address_line1="1 Harbour Road",
            city="Porto",
            country="PT",
            document_type="passport",
            document_number="AB 1234",
            tags=["vip", "business"],
            custom_fields={"born": "1980-05-01", "score": 7.5, "vip": True},
        )
        created = datetime(2026, 3, 1, 12, 30, 15, 999, tzinfo=UTC)
        Subscriber.objects.filter(pk=jane.pk).update(created_at=created, updated_at=created)

        [row] = exported("subscribers")

        assert row == {
            "Number": jane.number,
            "External ID": "CRM-7",
            "Name": "José Álvares",
            "E-mail": "jose@north.example",
            "Phone": "'+351912345678",
            "Status": "Prospect",
            "Suspended until": "",
            "Billing profile": "Monthly",
            "Street and number": "1 Harbour Road",
            "Floor, flat or building": "",
            "City": "Porto",
            "State": "",
            "Postal code": "",
            "Country": "PT",
            "Document": "Passport",
            "Document number": "AB 1234",
            "Tags": "vip, business",
            "Terms accepted": "",
            "Marketing consent": "",
            "Created": "2026-03-01T14:30:15+02:00",
            "Updated": "2026-03-01T14:30:15+02:00",
            "ID": str(jane.pk),
            "Score": "7.5",
            "Born": "1980-05-01",
            "VIP": "yes",
        }

    def test_of_services(self) -> None:
        zone = ZoneFactory(name="Centre")
        line = SubscriptionFactory(
            number=17,
            subscriber=SubscriberFactory(number="SUB-1", full_name="Jane Doe"),
            plan=PlanFactory(code="F100", name="Fibre 100"),
            premise=PremiseFactory(zone=zone, address_line1="1 Harbour Road", city="Porto", country="PT"),
            status="suspended",
            wifi_name="jane",
            wifi_password="never-shown",
            provisioned_at=datetime(2026, 1, 1, 23, tzinfo=UTC),
        )
        for reason in ("non_payment", "abuse"):
            Hold.objects.create(subscription=line, reason=reason, opened_at=timezone.now())
        Hold.objects.create(
            subscription=line, reason="vacation", opened_at=timezone.now(), released_at=timezone.now()
        )

        [row] = exported("services")

        assert {name: row[name] for name in list(row)[:19]} == {
            "Number": "17",
            "Customer number": "SUB-1",
            "Customer": "Jane Doe",
            "Plan code": "F100",
            "Plan": "Fibre 100",
            "Status": "Suspended",
            "Open holds": "Non-payment, Abuse",
            "Street and number": "1 Harbour Road",
            "Floor, flat or building": "",
            "City": "Porto",
            "State": "",
            "Postal code": "",
            "Country": "PT",
            "Zone": "Centre",
            "ISP reference": "",
            "WiFi name": "jane",
            "Sales agent": "",
            "In service since": "2026-01-02T01:00:00+02:00",
            "Ended": "",
        }

    def test_of_plans_with_plain_decimals_and_the_zones_they_are_sold_in(self) -> None:
        plan = PlanFactory(price=Decimal("1029.90"), cap_bytes=5_000_000_000_000, sold_from=date(2026, 1, 31))
        for name in ("South", "North"):
            PlanZone.objects.create(plan=plan, zone=ZoneFactory(name=name))

        [row] = exported("internet-plans")

        assert {
            name: row[name] for name in ("Price", "Data cap, bytes", "Period", "Sold from", "Sold in")
        } == {
            "Price": "1029.90",
            "Data cap, bytes": "5000000000000",
            "Period": "Month",
            "Sold from": "2026-01-31",
            "Sold in": "North, South",
        }

    def test_of_onus_with_their_signals(self) -> None:
        olt = OltFactory(name="Central")
        OnuFactory(
            olt=olt, pon_port=PonPortFactory(olt=olt, index="0/1/0"), serial="HWTC00000001", rx_power_dbm=-19.5,
            last_down_cause="dying_gasp", up_bytes=18_446_744_073_709_551_615, down_bytes=42,
        )  # fmt: skip

        [row] = exported("onus")

        assert (row["Serial"], row["OLT"], row["PON port"], row["State"]) == (
            "HWTC00000001", "Central", "0/1/0", "Online",
        )  # fmt: skip
        assert row["Received (Rx), dBm"] == "-19.5"
        assert row["Last went down because of"] == "Power failure (dying gasp)"
        assert row["From the subscriber, bytes"] == "18446744073709551615"
        assert row["To the subscriber, bytes"] == "42"

    @pytest.mark.parametrize("name", LISTS)
    def test_of_a_list_without_rows_is_its_header(self, name: str) -> None:
        job = run(request_export(name))

        assert table_of(content_of(job)) == [[column.header for column in exports.find(name).columns]]
        assert job.result is not None
        assert job.result["rows"] == 0

    def test_as_a_workbook_has_numbers_and_dates(self) -> None:
        plan = PlanFactory(price=Decimal("29.90"), sold_from=date(2026, 1, 31))
        Plan.objects.filter(pk=plan.pk).update(created_at=datetime(2026, 3, 1, 23, 30, tzinfo=UTC))

        book = load_workbook(
            io.BytesIO(content_of(run(request_export("internet-plans", file_format="xlsx"))))
        )

        sheet = book.active
        assert sheet is not None
        header, row = ([cell.value for cell in line] for line in sheet.iter_rows())
        cells: dict[Any, Any] = dict(zip(header, row, strict=True))
        assert (cells["Price"], cells["Download, kbit/s"]) == (29.9, 100_000)
        assert cells["Sold from"] == datetime(2026, 1, 31)  # noqa: DTZ001
        assert cells["Created"] == datetime(2026, 3, 2, 1, 30)  # noqa: DTZ001
        assert (sheet.freeze_panes, sheet["A1"].font.bold, sheet["A2"].font.bold) == ("A2", True, False)
        assert sheet.column_dimensions["B"].width == 24

    @pytest.mark.parametrize("file_format", ["csv", "xlsx"])
    def test_runs_no_formula_of_a_customers(self, file_format: str) -> None:
        SubscriberFactory(full_name='=HYPERLINK("http://x.example")', city="@SUM(1)", state="-1+1")
        CustomField.objects.create(key="x", label="=1+1")

        content = content_of(run(request_export("subscribers", file_format=file_format)))

        if file_format == "csv":
            header, row = table_of(content)
        else:
            sheet = load_workbook(io.BytesIO(content)).active
            assert sheet is not None
            assert {cell.data_type for line in sheet.iter_rows() for cell in line} <= {"s", "n", "d"}
            header, row = ([cell.value for cell in line] for line in sheet.iter_rows())
        assert header[-1] == "'=1+1"
        cells = dict(zip(header, row, strict=True))
        assert cells["Name"] == '\'=HYPERLINK("http://x.example")'
        assert (cells["City"], cells["State"]) == ("'@SUM(1)", "'-1+1")

    def test_begins_with_a_mark_only_when_asked(self) -> None:
        assert content_of(run(request_export("zones"))).startswith(b"\xef\xbb\xbfName,")
        assert content_of(run(request_export("zones", bom=False))).startswith(b"Name,")

    def test_holds_each_row_once_over_many_pages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(exports, "PAGE_ROWS", 4)
        zones = [ZoneFactory() for _ in range(8)]

        rows = exported("zones")

        assert [row["ID"] for row in rows] == [str(zone.pk) for zone in zones]

    @pytest.mark.parametrize("name", LISTS)
    def test_costs_the_same_for_one_row_or_six(self, name: str) -> None:
        make = {
            "subscribers": SubscriberFactory,
            "services": SubscriptionFactory,
            "premises": PremiseFactory,
            "zones": ZoneFactory,
            "internet-plans": PlanFactory,
            "billing-profiles": BillingProfileFactory,
            "olts": OltFactory,
            "onus": OnuFactory,
            "addresses": AddressFactory,
            "drifts": make_drift,
            "accounts": MAKE[Account],
            "nas": MAKE[Nas],
            "session-actions": MAKE[SessionAction],
            "vouchers": MAKE[Voucher],
        }[name]

        def queries() -> int:
            job = request_export(name)
            with CaptureQueriesContext(connection) as captured:
                run(job)
            return len(captured)

        make()
        one = queries()
        for _ in range(5):
            make()

        assert queries() == one


class TestSecrets:
    @pytest.mark.parametrize("name", LISTS)
    def test_are_no_columns(self, name: str) -> None:
        export = exports.find(name)

        for column in export.columns:
            if isinstance(column.value, str):
                model: Any = export.model
                *path, last = column.value.split("__")
                for step in path:
                    model = model._meta.get_field(step).related_model
                assert not isinstance(model._meta.get_field(last), SecretField)

    @pytest.mark.usefixtures("acting")
    def test_are_not_in_the_files(self) -> None:
        OltFactory(community="never-shown")
        SubscriptionFactory(wifi_password="never-shown")
        make_account("jane", password="never-shown")
        make_nas(None, secret="never-shown")

        for name in ("olts", "services", "accounts", "nas"):
            assert b"never-shown" not in content_of(run(request_export(name)))

    def test_every_list_named_is_registered(self) -> None:
        made_for_people = [export.name for export in exports.registered() if export.columns]

        assert sorted(made_for_people) == sorted(LISTS)


@pytest.mark.usefixtures("acting")
class TestRows:
    def test_are_those_the_filters_leave(self) -> None:
        make_subscriber(full_name="Jane", city="Porto")
        make_subscriber(full_name="John", city="Porto")
        make_subscriber(full_name="Joan", city="Faro")

        assert [row["Name"] for row in exported("subscribers", city="Porto", search="jo")] == ["John"]
        assert [row["Name"] for row in exported("subscribers", full_name="J*", city="Faro")] == ["Joan"]

    def test_are_this_tenants(self, other_tenant: Tenant) -> None:
        ZoneFactory(name="Ours")
        with tenant_context(other_tenant.pk):
            ZoneFactory(name="Theirs")

        assert [row["Name"] for row in exported("zones")] == ["Ours"]


class TestRefusedInTheJob:
    @pytest.fixture(autouse=True)
    def _few(self, acting: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
        from ispcore.files import tabular

        monkeypatch.setattr(tabular, "MAX_XLSX_ROWS", 2)

    def test_more_rows_than_a_sheet_holds(self) -> None:
        for _ in range(2):
            ZoneFactory()

        job = run(request_export("zones", file_format="xlsx"))

        assert (job.status, job.error_code) == (JobStatus.FAILED, "too_many_rows")
        assert not StoredFile.objects.filter(completed_at__isnull=False).exists()
