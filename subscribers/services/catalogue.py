"""Zones, plans, premises and billing profiles: what is sold, where, and on which terms."""

from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet

from ispcore.errors import DomainError, NotRegistered
from ispcore.tenants.base import TenantModel, changed, locked, what_protects
from ispcore.tenants.context import current_tenant_id
from subscribers import normal
from subscribers.models import BillingProfile, Plan, PlanZone, Premise, PremiseWord, Zone

MOST_SEARCHED_WORDS = 8


class UnknownZone(NotRegistered):
    message = "There is no such zone."
    field = "zone_id"


class UnknownParentZone(UnknownZone):
    field = "parent_id"


class UnknownSalesZone(UnknownZone):
    message = "There is no such zone: {zone_ids}."
    field = "zone_ids"


class ZoneWithinItself(DomainError):
    code = "zone_within_itself"
    message = "{name} cannot lie in itself or in a zone within it."
    field = "parent_id"


class ZoneInUse(DomainError):
    code = "zone_in_use"
    message = "{name} is still used by {users}."


class PlanInUse(DomainError):
    code = "plan_in_use"
    message = "{name} is still used by {users}. To sell it no more, set `sold_until`."


class PremiseInUse(DomainError):
    code = "premise_in_use"
    message = "{name} is still used by {users}."


class BillingProfileInUse(DomainError):
    code = "billing_profile_in_use"
    message = "{name} is still used by {users}."


def lock_zone_tree() -> None:
    """Let no other transaction move a zone of this tenant until this one ends.

    Two moves, each fine by itself, could close a circle together. Call it before a zone is locked: the other way
    round, two callers could wait for each other.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"zones:{current_tenant_id()}"]
        )


def zone_and_those_around(*, zone_id: UUID) -> list[UUID]:
    """List a zone and the zones it lies in, from the inside out; none when there is no such zone."""
    return _path(zone_id, _parents())


def create_zone(*, name: str, parent_id: UUID | None = None) -> Zone:
    """Add a zone.

    Raises UnknownParentZone.
    """
    _check_zone(parent_id, UnknownParentZone)
    return Zone.objects.create(name=name, parent_id=parent_id)  # type: ignore[no-any-return]


@transaction.atomic
def change_zone(*, zone_id: UUID, **fields: Any) -> Zone:
    """Rename or move a zone; what is not given stays.

    Raises UnknownParentZone, or ZoneWithinItself for a parent that is the zone or lies in it.
    """
    if fields.get("parent_id"):
        lock_zone_tree()
        _check_zone(fields["parent_id"], UnknownParentZone)
    zone = locked(Zone, zone_id)
    if fields.get("parent_id") and zone_id in zone_and_those_around(zone_id=fields["parent_id"]):
        raise ZoneWithinItself(name=zone.name)
    return changed(zone, fields)


@transaction.atomic
def remove_zone(*, zone_id: UUID) -> None:
    """Delete a zone without zones, premises or plans.

    Raises ZoneInUse.
    """
    _remove(locked(Zone, zone_id), ZoneInUse)


@transaction.atomic
def create_plan(*, zone_ids: Collection[UUID] = (), **fields: Any) -> Plan:
    """Add a plan, sold in the zones given, everywhere when there are none.

    Raises UnknownSalesZone.
    """
    _check_sales_zones(zone_ids)
    plan: Plan = Plan.objects.create(**fields)
    _sell_in(plan, zone_ids)
    return plan


@transaction.atomic
def change_plan(*, plan_id: UUID, zone_ids: Collection[UUID] | None = None, **fields: Any) -> Plan:
    """Change a plan; what is not given stays, and the zones given replace those it had.

    Raises UnknownSalesZone.
    """
    plan = locked(Plan, plan_id)
    if zone_ids is not None:
        _check_sales_zones(zone_ids)
        _sell_in(plan, zone_ids)
    return changed(plan, fields)


@transaction.atomic
def remove_plan(*, plan_id: UUID) -> None:
    """Delete a plan no service has or had.

    Raises PlanInUse.
    """
    _remove(locked(Plan, plan_id), PlanInUse)


def zones_sold_in(*, plan_id: UUID) -> list[UUID]:
    """List the zones a plan is sold in with all that lie in them; none when it is sold everywhere."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH RECURSIVE inside AS (
                SELECT zone_id AS id FROM subscribers_planzone WHERE tenant_id = %(tenant)s AND plan_id = %(plan)s
                UNION
                SELECT zone.id
                FROM subscribers_zone AS zone JOIN inside ON zone.parent_id = inside.id
                WHERE zone.tenant_id = %(tenant)s
            )
            SELECT id FROM inside
            """,
            {"tenant": current_tenant_id(), "plan": plan_id},
        )
        return [row[0] for row in cursor.fetchall()]


def create_premise(*, zone_id: UUID | None = None, **fields: Any) -> Premise:
    """Add a premise.

    Raises UnknownZone.
    """
    _check_zone(zone_id, UnknownZone)
    return Premise.objects.create(zone_id=zone_id, **fields)  # type: ignore[no-any-return]


def search_premises(rows: QuerySet[Premise], text: str) -> QuerySet[Premise]:
    """Narrow to premises of whose address every word of `text` begins some word; text without one finds none."""
    words = normal.words_of(text)[:MOST_SEARCHED_WORDS]
    for word in words:
        rows = rows.filter(Exists(PremiseWord.objects.filter(premise=OuterRef("pk"), word__prefix=word)))
    return rows if words else rows.none()


@transaction.atomic
def change_premise(*, premise_id: UUID, **fields: Any) -> Premise:
    """Change a premise; what is not given stays.

    Raises UnknownZone.
    """
    _check_zone(fields.get("zone_id"), UnknownZone)
    return changed(locked(Premise, premise_id), fields)


@transaction.atomic
def remove_premise(*, premise_id: UUID) -> None:
    """Delete a premise that has and had no service.

    Raises PremiseInUse.
    """
    _remove(locked(Premise, premise_id), PremiseInUse)


def create_billing_profile(**fields: Any) -> BillingProfile:
    """Add a billing profile."""
    return BillingProfile.objects.create(**fields)  # type: ignore[no-any-return]


@transaction.atomic
def change_billing_profile(*, billing_profile_id: UUID, **fields: Any) -> BillingProfile:
    """Change a billing profile; what is not given stays."""
    return changed(locked(BillingProfile, billing_profile_id), fields)


@transaction.atomic
def remove_billing_profile(*, billing_profile_id: UUID) -> None:
    """Delete a billing profile that no subscriber has.

    Raises BillingProfileInUse.
    """
    _remove(locked(BillingProfile, billing_profile_id), BillingProfileInUse)


def _check_zone(zone_id: UUID | None, refusal: type[UnknownZone]) -> None:
    if zone_id and not Zone.objects.filter(pk=zone_id).exists():
        raise refusal


def _check_sales_zones(zone_ids: Iterable[UUID]) -> None:
    wanted = set(zone_ids)
    unknown = (
        wanted - set(Zone.objects.filter(pk__in=wanted).values_list("pk", flat=True)) if wanted else set()
    )
    if unknown:
        raise UnknownSalesZone(zone_ids=", ".join(sorted(map(str, unknown))))


def _sell_in(plan: Plan, zone_ids: Iterable[UUID]) -> None:
    """Make the plan's zones those given; rows that stay are not touched."""
    wanted = set(zone_ids)
    present = set(PlanZone.objects.filter(plan=plan).values_list("zone_id", flat=True))
    if present - wanted:
        PlanZone.objects.filter(plan=plan, zone_id__in=present - wanted).delete()
    PlanZone.objects.bulk_create(PlanZone(plan=plan, zone_id=zone_id) for zone_id in sorted(wanted - present))


def _parents() -> dict[UUID, UUID | None]:
    return dict(Zone.objects.values_list("pk", "parent_id"))


def _path(zone_id: UUID, parents: dict[UUID, UUID | None]) -> list[UUID]:
    path: list[UUID] = []
    step: UUID | None = zone_id
    while step in parents and step not in path:
        path.append(step)
        step = parents[step]
    return path


def _remove(row: TenantModel, refusal: type[DomainError]) -> None:
    """Delete a row nothing protected points at; asks each relation for one row, however many there are."""
    users = [str(rows.model._meta.verbose_name_plural) for rows in what_protects(row) if rows.exists()]
    if users:
        raise refusal(name=str(row), users=", ".join(dict.fromkeys(users)))
    row.delete()
