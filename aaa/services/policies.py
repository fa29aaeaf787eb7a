"""Bandwidth policies: kept in no vendor's words, rendered for each type of NAS when they change.

What the packet path and the CoA sender read is PolicyReply; Policy is what people read.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, Q

from aaa import rendering
from aaa.models import NasType, Policy
from aaa.services.profiles import names_of_users
from ispcore.errors import DomainError, NotRegistered
from ispcore.events.services import publish, publish_each
from ispcore.tenants.context import current_tenant_id
from subscribers.models import Plan

RATE_FIELDS = tuple(rendering.Rate.__slots__)
# What a policy has of its plan; the rest is the provider's own.
FOLLOWED = ("down_kbps", "up_kbps", "burst_down_kbps", "burst_up_kbps")
LONGEST_NAME = 120


class PlanUnknown(NotRegistered):
    message = "There is no such product."
    field = "plan_id"


class PolicyInUse(DomainError):
    code = "policy_in_use"
    message = "{name} is still used by {users}."


class PolicyFollowsPlan(DomainError):
    code = "policy_follows_plan"
    message = "The speeds of {name} are those of its plan. Change the plan, or make a policy without one."


class PlanHasPolicy(DomainError):
    code = "plan_has_policy"
    message = "The policy {name} is that of this plan already."
    field = "plan_id"


@transaction.atomic
def create_policy(*, plan_id: UUID | None = None, **fields: Any) -> Policy:
    """Add a policy and what each type of NAS is told; with a plan its speeds are the plan's.

    Raises PlanUnknown, PlanHasPolicy.
    """
    if plan_id:
        plan = Plan.objects.filter(pk=plan_id).first()
        if plan is None:
            raise PlanUnknown
        made = Policy.objects.filter(plan=plan).first()
        if made:
            raise PlanHasPolicy(name=made.name)
        fields |= _of_plan(plan)
    policy: Policy = Policy.objects.create(plan_id=plan_id, **fields)
    render_policies([policy])
    if plan_id:
        publish("aaa.policy_changed", policy_id=str(policy.pk))
    return policy


@transaction.atomic
def change_policy(*, policy_id: UUID, **fields: Any) -> Policy:
    """Change a policy; what is not given stays. Live sessions follow by event.

    Raises PolicyFollowsPlan for another speed than its plan's.
    """
    policy: Policy = Policy.objects.select_for_update(of=("self",)).get(pk=policy_id)
    if policy.plan_id and any(name in fields and fields[name] != getattr(policy, name) for name in FOLLOWED):
        raise PolicyFollowsPlan(name=policy.name)
    for name, value in fields.items():
        setattr(policy, name, value)
    policy.save()
    render_policies([policy])
    publish("aaa.policy_changed", policy_id=str(policy.pk))
    return policy


@transaction.atomic
def remove_policy(*, policy_id: UUID) -> None:
    """Delete a policy that nothing names.

    Raises PolicyInUse.
    """
    policy: Policy = Policy.objects.select_for_update(of=("self",)).get(pk=policy_id)
    users = names_of_users(policy)
    if users:
        raise PolicyInUse(name=policy.name, users=users)
    policy.delete()


@transaction.atomic
def policies_of_plans(plan_ids: Collection[UUID]) -> None:
    """Make the policies that these plans do not have yet. Safe to repeat, and to run in parallel."""
    missing = Plan.objects.filter(pk__in=plan_ids, policies=None).order_by("pk")
    for plan in missing:
        name = _free_name(plan.name[:LONGEST_NAME], plan.code)
        # Without a plan's second policy, whoever comes first: the other finds it made.
        Policy.objects.bulk_create([Policy(name=name, plan=plan, **_of_plan(plan))], ignore_conflicts=True)
    render_policies(Policy.objects.filter(plan__in=plan_ids, replies=None))


@transaction.atomic
def follow_plans() -> list[UUID]:
    """Give the bound tenant's policies the speeds their plans have now; return the ids of those that changed."""
    behind = list(Policy.objects.filter(is_behind_its_plan()).select_related("plan").order_by("pk"))
    locked = {
        policy.pk: policy
        for policy in Policy.objects.filter(pk__in=[each.pk for each in behind])
        .order_by("pk")
        .select_for_update(of=("self",))
    }
    changed = []
    for found in behind:
        policy = locked.get(found.pk)
        if policy is None:
            continue
        for name, value in _of_plan(found.plan).items():
            setattr(policy, name, value)
        _keep_guarantee_within(policy)
        policy.save()
        changed.append(policy)
    render_policies(changed)
    publish_each("aaa.policy_changed", [{"policy_id": str(policy.pk)} for policy in changed])
    return [policy.pk for policy in changed]


def is_behind_its_plan() -> Q:
    """Return the condition of a policy whose plan has other speeds."""
    differs = Q()
    for name in FOLLOWED:
        differs |= ~Q(**{name: F(f"plan__{name}")}) & (
            Q(**{f"{name}__isnull": False}) | Q(**{f"plan__{name}__isnull": False})
        )
    return Q(plan__isnull=False) & differs


def render_policies(policies: Iterable[Policy]) -> None:
    """Write what each type of NAS is told of these policies, in one statement; what is the same stays untouched."""
    rows = []
    for policy in policies:
        rate = rate_of(policy)
        for nas_type in NasType.values:
            rows.append((policy.pk, nas_type, *rendering.render(nas_type, rate)))
    if not rows:
        return
    columns: Sequence[Any] = list(zip(*rows, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO aaa_policyreply AS reply
                (id, tenant_id, created_at, updated_at, policy_id, nas_type, r1, r2, r3, r4, r5, r6)
            SELECT uuidv7(), %s, now(), now(), made.*
            FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
                        %s::text[]) AS made (policy_id, nas_type, r1, r2, r3, r4, r5, r6)
            ON CONFLICT (tenant_id, policy_id, nas_type) DO UPDATE
            SET r1 = EXCLUDED.r1, r2 = EXCLUDED.r2, r3 = EXCLUDED.r3, r4 = EXCLUDED.r4, r5 = EXCLUDED.r5,
                r6 = EXCLUDED.r6, updated_at = EXCLUDED.updated_at
            WHERE (reply.r1, reply.r2, reply.r3, reply.r4, reply.r5, reply.r6) IS DISTINCT FROM
                  (EXCLUDED.r1, EXCLUDED.r2, EXCLUDED.r3, EXCLUDED.r4, EXCLUDED.r5, EXCLUDED.r6)
            """,
            [current_tenant_id(), *(list(column) for column in columns)],
        )


def rate_of(policy: Policy) -> rendering.Rate:
    """Return what a policy gives, for any vendor."""
    return rendering.Rate(**{name: getattr(policy, name) for name in RATE_FIELDS})


def types_left_unlimited(policy: Policy) -> dict[str, tuple[str, ...]]:
    """Map each type of NAS that this policy would not limit to the fields it lacks."""
    rate = rate_of(policy)
    missing = {nas_type: rendering.missing_names(nas_type, rate) for nas_type in NasType.values}
    return {nas_type: names for nas_type, names in missing.items() if names}


def _of_plan(plan: Plan) -> dict[str, Any]:
    return {name: getattr(plan, name) for name in FOLLOWED}


def _keep_guarantee_within(policy: Policy) -> None:
    """Lower a guarantee that the new speed no longer reaches."""
    for direction in ("down", "up"):
        rate, guarantee = getattr(policy, f"{direction}_kbps"), f"guaranteed_{direction}_kbps"
        if rate is not None and (getattr(policy, guarantee) or 0) > rate:
            setattr(policy, guarantee, rate)


def _free_name(name: str, code: str) -> str:
    if not Policy.objects.filter(name=name).exists():
        return name
    return f"{name[: LONGEST_NAME - len(code) - 3]} ({code})"
