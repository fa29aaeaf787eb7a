"""What cells may name: the provider's plans, zones, billing profiles and own fields."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.models import Tenant
from subscribers import normal
from subscribers.models import BillingProfile, CustomField, Plan, PlanZone, SubscriberSettings, Zone
from subscribers.services.custom_fields import definitions_in_order, share_definitions
from subscribers.services.settings import subscriber_settings

PLAN = ("id", "code", "name", "sold_from", "sold_until")


@dataclass(frozen=True)
class References:
    """What cells may name, read once per batch: a batch sees one state of it.

    Where `meaning` is the same, cells read by one mean what they mean by the other.
    """

    settings: SubscriberSettings
    definitions: list[CustomField]
    zone_info: ZoneInfo
    today: date
    now: datetime
    plans: dict[str, list[Plan]]
    zones: dict[str, UUID]
    profiles: dict[str, UUID]
    zones_of_plan: dict[UUID, set[UUID]]
    around: dict[UUID, UUID | None]
    meaning: tuple[Any, ...]

    @classmethod
    def read(cls, *, now: datetime) -> "References":
        share_definitions()
        zone_info = ZoneInfo(Tenant.objects.values_list("timezone", flat=True).get(pk=current_tenant_id()))
        plans: dict[str, list[Plan]] = {}
        sold = list(Plan.objects.only(*PLAN).order_by("pk"))
        for plan in sold:
            for name in {normal.fold(plan.code), normal.fold(plan.name)}:
                plans.setdefault(name, []).append(plan)
        sold_in: dict[UUID, set[UUID]] = {}
        for plan_id, zone_id in PlanZone.objects.values_list("plan_id", "zone_id"):
            sold_in.setdefault(plan_id, set()).add(zone_id)
        zones = list(Zone.objects.order_by("pk").values_list("id", "name", "parent_id"))
        profiles = list(BillingProfile.objects.order_by("pk").values_list("id", "name"))
        settings, definitions = subscriber_settings(), definitions_in_order()
        return cls(
            settings=settings,
            definitions=definitions,
            zone_info=zone_info,
            today=now.astimezone(zone_info).date(),
            now=now,
            plans=plans,
            zones={normal.fold(name): pk for pk, name, _ in zones},
            profiles={normal.fold(name): pk for pk, name in profiles},
            zones_of_plan=sold_in,
            around={pk: parent for pk, _, parent in zones},
            meaning=(
                [settings.phone_region, *settings.duplicate_rules],
                [
                    [getattr(each, column.attname) for column in each._meta.concrete_fields]
                    for each in definitions
                ],
                [zone_info.key, now],
                [[getattr(plan, name) for name in PLAN] for plan in sold],
                zones,
                profiles,
            ),
        )

    def is_sold(self, plan: Plan, zone_id: UUID | None) -> bool:
        """Tell what `lines.refuse_unsold` tells, without a query per row."""
        in_time = (plan.sold_from is None or plan.sold_from <= self.today) and (
            plan.sold_until is None or self.today < plan.sold_until
        )
        wanted = self.zones_of_plan.get(plan.pk)
        if not in_time or not wanted:
            return in_time
        seen: set[UUID] = set()
        while zone_id is not None and zone_id not in seen:
            seen.add(zone_id)
            zone_id = self.around.get(zone_id)
        return not wanted.isdisjoint(seen)
