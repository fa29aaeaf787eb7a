"""What the files of customers, their services, and what is sold where look like."""

from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef
from django.db.models.fields.json import KeyTransform

from ispcore.files.exports import Column, Export, register
from ispcore.files.tenant_export.contents import Rule, carry, kept_file, leave_out
from subscribers.api.catalogue import BillingProfileViewSet, PlanViewSet, PremiseViewSet, ZoneViewSet
from subscribers.api.customers import SubscriberViewSet
from subscribers.api.lines import ServiceViewSet
from subscribers.models import (
    CustomFieldKind,
    Cycle,
    DocumentType,
    Hold,
    HoldReason,
    PaymentKind,
    Period,
    PlanZone,
    ServiceStatus,
    SubscriberStatus,
)
from subscribers.services.custom_fields import definitions_in_order

CREATED = Column("Created", "created_at")
UPDATED = Column("Updated", "updated_at")
ID = Column("ID", "id", width=38)


def word_of(choices: type[Any]) -> Callable[[str], str]:
    """Return what turns a stored code into the word staff read."""
    words = dict(choices.choices)
    return lambda code: words.get(code, code)


def custom_columns() -> Iterable[Column]:
    """Name the columns of the facts this provider keeps of its own, in the order staff see them."""
    return [
        Column(
            field.label,
            KeyTransform(field.key, "custom_fields"),
            show=day_or_text if field.kind == CustomFieldKind.DATE else None,
        )
        for field in definitions_in_order()
    ]


def day_or_text(text: str) -> date | str:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return text


def holds_shown(reasons: list[str]) -> str:
    return ", ".join(HoldReason(reason).label for reason in reasons)


OPEN_HOLDS = ArraySubquery(
    Hold.objects.filter(subscription=OuterRef("pk"), released_at=None).order_by("pk").values("reason")
)
SOLD_IN = ArraySubquery(
    PlanZone.objects.filter(plan=OuterRef("pk")).order_by("zone__name").values("zone__name")
)

register(
    Export(
        name="subscribers",
        view=SubscriberViewSet,
        columns=(
            Column("Number", "number", width=14),
            Column("External ID", "external_id"),
            Column("Name", "full_name", width=30),
            Column("E-mail", "email", width=30),
            Column("Phone", "phone"),
            Column("Status", "status", show=word_of(SubscriberStatus), width=12),
            Column("Suspended until", "suspended_until"),
            Column("Billing profile", "billing_profile__name"),
            Column("Street and number", "address_line1", width=30),
            Column("Floor, flat or building", "address_line2"),
            Column("City", "city"),
            Column("State", "state"),
            Column("Postal code", "postal_code", width=12),
            Column("Country", "country", width=9),
            Column("Document", "document_type", show=word_of(DocumentType)),
            Column("Document number", "document_number"),
            Column("Tags", "tags", show=", ".join),
            Column("Terms accepted", "terms_accepted_at"),
            Column("Marketing consent", "marketing_consent_at"),
            CREATED,
            UPDATED,
            ID,
        ),
        more_columns=custom_columns,
    )
)
register(
    Export(
        name="services",
        view=ServiceViewSet,
        columns=(
            Column("Number", "number", width=10),
            Column("Customer number", "subscriber__number"),
            Column("Customer", "subscriber__full_name", width=30),
            Column("Plan code", "plan__code"),
            Column("Plan", "plan__name", width=24),
            Column("Status", "status", show=word_of(ServiceStatus), width=20),
            Column("Open holds", OPEN_HOLDS, show=holds_shown, width=24),
            Column("Street and number", "premise__address_line1", width=30),
            Column("Floor, flat or building", "premise__address_line2"),
            Column("City", "premise__city"),
            Column("State", "premise__state"),
            Column("Postal code", "premise__postal_code", width=12),
            Column("Country", "premise__country", width=9),
            Column("Zone", "premise__zone__name"),
            Column("ISP reference", "isp_reference"),
            Column("WiFi name", "wifi_name"),
            Column("Sales agent", "sales_agent"),
            Column("In service since", "provisioned_at"),
            Column("Ended", "terminated_at"),
            CREATED,
            UPDATED,
            ID,
        ),
    )
)
register(
    Export(
        name="premises",
        view=PremiseViewSet,
        columns=(
            Column("Street and number", "address_line1", width=30),
            Column("Floor, flat or building", "address_line2"),
            Column("City", "city"),
            Column("State", "state"),
            Column("Postal code", "postal_code", width=12),
            Column("Country", "country", width=9),
            Column("Zone", "zone__name"),
            Column("Latitude", "latitude", width=12),
            Column("Longitude", "longitude", width=12),
            CREATED,
            UPDATED,
            ID,
        ),
    )
)
register(
    Export(
        name="zones",
        view=ZoneViewSet,
        columns=(
            Column("Name", "name", width=24),
            Column("Lies in", "parent__name", width=24),
            CREATED,
            UPDATED,
            ID,
        ),
    )
)
register(
    Export(
        name="internet-plans",
        view=PlanViewSet,
        columns=(
            Column("Code", "code"),
            Column("Name", "name", width=24),
            Column("Download, kbit/s", "down_kbps"),
            Column("Upload, kbit/s", "up_kbps"),
            Column("Download burst, kbit/s", "burst_down_kbps", width=22),
            Column("Upload burst, kbit/s", "burst_up_kbps", width=22),
            Column("Data cap, bytes", "cap_bytes"),
            Column("Price", "price", width=12),
            Column("Currency", "currency", width=10),
            Column("Period", "period", show=word_of(Period), width=10),
            Column("Tax class", "tax_class"),
            Column("Address pool", "pool_hint"),
            Column("Sold from", "sold_from", width=12),
            Column("No longer sold from", "sold_until"),
            Column("Sold in", SOLD_IN, show=", ".join, width=30),
            CREATED,
            UPDATED,
            ID,
        ),
    )
)
register(
    Export(
        name="billing-profiles",
        view=BillingProfileViewSet,
        columns=(
            Column("Name", "name", width=24),
            Column("Payment", "payment_kind", show=word_of(PaymentKind), width=12),
            Column("Billed on", "cycle", show=word_of(Cycle), width=26),
            Column("Day of the month", "cycle_day"),
            Column("Due after, days", "due_days"),
            Column("Grace, days", "grace_days"),
            Column("Currency", "currency", width=10),
            Column("Tax class", "tax_class"),
            CREATED,
            UPDATED,
            ID,
        ),
    )
)

# Of a whole provider's export.
leave_out("subscribers.SnapshotCursor", "How far readers have come in the feed of one installation.")
carry("subscribers.Import", Rule(values={"file_id": kept_file("file_id")}))
carry("subscribers.Subscription", Rule(drawn={"changed_xid": "pg_current_xact_id()::text::bigint"}))
