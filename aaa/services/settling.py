"""What accounts and live sessions follow: the line, its holds, its plan, its addresses, the clock and the data used.

An account is settled when what is kept on it says what these say now. `wanted` is what its live session should have;
`aaa.services.differing` queues an action for a session whose `applied` is another. Both are derived and never patched,
so settling may be repeated, run late or twice: events only say that it may be time, and a sweep finds what they missed.

`wanted` is `<context>:<rate>.<slots>.<list>.<address>`, or `refused:<reason>` when no session should live. Rate, list
and address are digests; `slots` tells in hexadecimal which of the six slots of each type of NAS say something (six
bits a type, in the order of NasType), because a CoA cannot take a value away.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from aaa.models import Account, ActionCause, Barred, NasType, Policy
from aaa.services import caps, policies
from aaa.services.differing import act_on_differences
from aaa.services.settings import radius_settings
from ispcore.tenants.context import current_tenant_id, tenant_context
from subscribers.models import Subscription

BATCH = 2000  # Accounts a transaction: what it locks, packets wait for.

LOCK_SQL = """
SELECT id FROM aaa_account WHERE tenant_id = %(tenant)s AND id = ANY (%(ids)s) ORDER BY id FOR NO KEY UPDATE
"""

# The reason that counts when several holds are open: what only a person lifts, then what a payment lifts.
HOLD_ORDER = "ARRAY['fraud', 'abuse', 'staff', 'vacation', 'non_payment']"

FOLLOW_LINE_SQL = f"""
WITH found AS (
    SELECT account.id,
           CASE WHEN line.id IS NULL OR line.status = 'active' THEN ''
                WHEN line.status = 'suspended' THEN COALESCE(hold.reason, 'suspended')
                ELSE line.status END AS blocked_reason,
           CASE WHEN line.id IS NULL OR account.keeps_policy THEN account.policy_id
                ELSE COALESCE(of_plan.id, account.policy_id) END AS policy_id,
           CASE WHEN line.id IS NULL THEN account.cap_bytes ELSE plan.cap_bytes END AS cap_bytes,
           CASE WHEN first.id = account.id THEN given.ip4 END AS ip4,
           CASE WHEN first.id = account.id THEN given.ipv6_prefix END AS ipv6_prefix,
           CASE WHEN first.id = account.id THEN given.delegated END AS delegated
    FROM aaa_account AS account
    LEFT JOIN subscribers_subscription AS line
           ON line.tenant_id = %(tenant)s AND line.id = account.subscription_id
    LEFT JOIN subscribers_plan AS plan ON plan.tenant_id = %(tenant)s AND plan.id = line.plan_id
    LEFT JOIN aaa_policy AS of_plan ON of_plan.tenant_id = %(tenant)s AND of_plan.plan_id = line.plan_id
    LEFT JOIN LATERAL (
        SELECT reason FROM subscribers_hold
        WHERE tenant_id = %(tenant)s AND subscription_id = line.id AND released_at IS NULL
        ORDER BY array_position({HOLD_ORDER}, reason::text) LIMIT 1
    ) AS hold ON true
    -- A line's addresses are one device's: its oldest account that is switched on has them.
    LEFT JOIN LATERAL (
        SELECT id FROM aaa_account
        WHERE tenant_id = %(tenant)s AND subscription_id = line.id
        ORDER BY enabled DESC, id LIMIT 1
    ) AS first ON true
    LEFT JOIN LATERAL (
        SELECT min(address) FILTER (WHERE family(address) = 4 AND masklen(address) = 32) AS ip4,
               min(address) FILTER (WHERE family(address) = 6 AND masklen(address) >= 64) AS ipv6_prefix,
               min(address) FILTER (WHERE family(address) = 6 AND masklen(address) < 64) AS delegated
        FROM (
            SELECT held.address FROM ipam_address AS held
            LEFT JOIN ipam_pool AS pool ON pool.tenant_id = %(tenant)s AND pool.id = held.pool_id
            WHERE held.tenant_id = %(tenant)s AND held.subscription_id = line.id AND held.state = 'assigned'
              AND COALESCE(pool.purpose, '') <> 'management'
        ) AS held
    ) AS given ON true
    WHERE account.tenant_id = %(tenant)s AND account.id = ANY (%(ids)s)
)
UPDATE aaa_account AS account
SET blocked_reason = found.blocked_reason, policy_id = found.policy_id, cap_bytes = found.cap_bytes,
    assigned_ip4 = found.ip4, assigned_ipv6_prefix = found.ipv6_prefix,
    assigned_delegated_prefix = found.delegated, updated_at = %(at)s
FROM found
WHERE account.tenant_id = %(tenant)s AND account.id = found.id
  AND (account.blocked_reason, account.policy_id, account.cap_bytes, account.assigned_ip4,
       account.assigned_ipv6_prefix, account.assigned_delegated_prefix)
      IS DISTINCT FROM (found.blocked_reason, found.policy_id, found.cap_bytes, found.ip4, found.ipv6_prefix,
                        found.delegated)
"""  # noqa: S608  (only the constant above is put in)

# What a session may have: by the account's and the line's state, in the order in which a log-in is judged (see
# aaa/sql/authorize.sql, which says the same of one account at its log-in).
WANT_SQL = """
WITH told AS (
    SELECT reply.policy_id,
           left(encode(sha256(convert_to(string_agg(
               concat_ws(E'\\x1f', reply.nas_type, reply.r1, reply.r2, reply.r3, reply.r4, reply.r5, reply.r6),
               E'\\x1e' ORDER BY reply.nas_type), 'UTF8')), 'hex'), 12) AS rate,
           to_hex(sum((((reply.r1 <> '')::int + (reply.r2 <> '')::int * 2 + (reply.r3 <> '')::int * 4
                      + (reply.r4 <> '')::int * 8 + (reply.r5 <> '')::int * 16 + (reply.r6 <> '')::int * 32)::bigint
                      << (6 * (array_position(%(types)s::text[], reply.nas_type::text) - 1))))::bigint) AS slots,
           left(encode(sha256(convert_to(COALESCE(max(reply.r2) FILTER (WHERE reply.nas_type = 'mikrotik'), ''),
                                         'UTF8')), 'hex'), 6) AS list
    FROM aaa_policyreply AS reply
    WHERE reply.tenant_id = %(tenant)s
      AND reply.policy_id IN (
          SELECT unnest(ARRAY[policy_id, throttle_policy_id]) FROM aaa_account
          WHERE tenant_id = %(tenant)s AND id = ANY (%(ids)s)
          UNION ALL SELECT %(garden)s::uuid)
    GROUP BY reply.policy_id
), judged AS (
    SELECT account.id, account.policy_id, account.throttle_policy_id,
           CASE
               WHEN NOT account.enabled THEN 'refused:disabled'
               WHEN account.expires_at <= %(at)s
                   THEN CASE WHEN %(expired)s = 'garden' THEN 'expired' ELSE 'refused:expired' END
               WHEN state.used_bytes >= state.allowance_bytes AND account.over_cap <> 'throttle' THEN 'refused:quota'
               WHEN account.blocked_reason <> '' AND CASE
                   WHEN account.blocked_reason = 'non_payment' THEN %(unpaid)s
                   WHEN account.blocked_reason = ANY (%(line_states)s) THEN 'reject'
                   ELSE %(suspended)s END <> 'garden' THEN 'refused:blocked'
               WHEN account.blocked_reason <> '' THEN 'blocked'
               WHEN state.used_bytes >= state.allowance_bytes THEN 'throttled'
               ELSE 'active'
           END AS context,
           concat_ws(E'\\x1f',
               COALESCE(host(COALESCE(account.static_ip4, account.assigned_ip4)), ''),
               COALESCE(pool.name, profile.framed_pool), profile.ipv6_pool, profile.delegated_pool,
               COALESCE(COALESCE(account.framed_ipv6_prefix, account.assigned_ipv6_prefix)::text, ''),
               COALESCE(COALESCE(account.delegated_prefix, account.assigned_delegated_prefix)::text, '')) AS address
    FROM aaa_account AS account
    JOIN aaa_serviceprofile AS profile
      ON profile.tenant_id = %(tenant)s AND profile.id = account.service_profile_id
    LEFT JOIN ipam_pool AS pool ON pool.tenant_id = %(tenant)s AND pool.id = account.pool_id
    LEFT JOIN aaa_accountstate AS state ON state.tenant_id = %(tenant)s AND state.account_id = account.id
    WHERE account.tenant_id = %(tenant)s AND account.id = ANY (%(ids)s)
), named AS (
    SELECT judged.id,
           CASE WHEN judged.context ^@ 'refused:' THEN judged.context
                ELSE judged.context || ':' || COALESCE(told.rate, '-') || '.' || COALESCE(told.slots, '0') || '.'
                     || COALESCE(told.list, '-') || '.'
                     || left(encode(sha256(convert_to(
                            CASE WHEN judged.context IN ('blocked', 'expired') AND %(garden_pool)s <> ''
                                 THEN 'pool' || %(garden_pool)s ELSE judged.address END, 'UTF8')), 'hex'), 12)
           END AS wanted
    FROM judged
    LEFT JOIN told ON told.policy_id = CASE judged.context
        WHEN 'throttled' THEN judged.throttle_policy_id
        WHEN 'blocked' THEN %(garden)s::uuid WHEN 'expired' THEN %(garden)s::uuid
        ELSE judged.policy_id END
)
UPDATE aaa_account AS account
SET wanted = named.wanted, settled_at = %(at)s
FROM named
WHERE account.tenant_id = %(tenant)s AND account.id = named.id
  AND (account.wanted IS DISTINCT FROM named.wanted OR account.settled_at IS NULL)
RETURNING account.id
"""


def settle(account_ids: Collection[UUID], *, at: datetime, cause: str = ActionCause.POLICY) -> int:
    """Bring accounts of the bound tenant up to date with what they follow; return how many actions that queued.

    `cause` is what a change of the rate alone is put down to.
    Reads the line after it has locked the account, so that of two at once the later one reads the newer state. Safe to
    repeat. More than BATCH accounts take several transactions unless the caller has one open.
    """
    ids = sorted(set(account_ids))
    return sum(
        _settle_batch(ids[start : start + BATCH], at=at, cause=cause) for start in range(0, len(ids), BATCH)
    )


def settle_each(
    find: Callable[[], Collection[UUID]], *, tenant_id: UUID, at: datetime, cause: str = ActionCause.POLICY
) -> int:
    """Settle the accounts that `find` returns for a tenant, a transaction for each BATCH of them."""
    with tenant_context(tenant_id):
        ids = sorted(set(find()))
    queued = 0
    for start in range(0, len(ids), BATCH):
        with tenant_context(tenant_id):
            queued += settle(ids[start : start + BATCH], at=at, cause=cause)
    return queued


def accounts_of_lines(**lines: Any) -> list[UUID]:
    """List the accounts of the lines that fit the criteria."""
    found = Subscription.objects.filter(**lines)
    return list(Account.objects.filter(subscription__in=found.values("pk")).values_list("pk", flat=True))


def accounts_of_policy(policy_id: UUID) -> set[UUID]:
    """List whoever has a policy, or has its plan's: as their own, when throttled, or as the walled garden's."""
    rows = Account.objects.all()
    if radius_settings().garden_policy_id == policy_id:
        return set(rows.values_list("pk", flat=True))
    plans = Policy.objects.filter(pk=policy_id, plan__isnull=False).values("plan")
    return {
        *rows.filter(policy=policy_id).values_list("pk", flat=True),
        *rows.filter(throttle_policy=policy_id).values_list("pk", flat=True),
        *accounts_of_lines(plan__in=plans),
    }


def accounts_of_profile(service_profile_id: UUID) -> list[UUID]:
    return list(Account.objects.filter(service_profile=service_profile_id).values_list("pk", flat=True))


def accounts_expired(*, since: datetime, until: datetime) -> list[UUID]:
    """List the accounts whose time ended after `since` and not after `until`."""
    ended = Account.objects.filter(expires_at__gt=since, expires_at__lte=until)
    return list(ended.values_list("pk", flat=True))


def all_accounts() -> list[UUID]:
    return list(Account.objects.values_list("pk", flat=True))


@transaction.atomic
def _settle_batch(ids: Sequence[UUID], *, at: datetime, cause: str) -> int:
    values: dict[str, Any] = _terms() | {
        "tenant": current_tenant_id(),
        "ids": list(ids),
        "at": at,
        "types": list(NasType.values),
    }
    with connection.cursor() as cursor:
        cursor.execute(LOCK_SQL, values)
        locked = [row[0] for row in cursor.fetchall()]
        if not locked:
            return 0
        values["ids"] = locked
        without = Subscription.objects.filter(accounts__in=locked, plan__policies=None).order_by()
        policies.policies_of_plans(list(without.values_list("plan", flat=True).distinct()))
        cursor.execute(FOLLOW_LINE_SQL, values)
        caps.grant_allowances(locked, at=at)
        cursor.execute(WANT_SQL, values)
    return act_on_differences(at=at, account_ids=locked, cause=cause)


def _terms() -> dict[str, Any]:
    """Return what the tenant does with accounts that are barred; a garden without a policy is none."""
    settings = radius_settings()
    garden = settings.garden_policy_id
    return {
        "garden": garden,
        "garden_pool": settings.garden_pool,
        "unpaid": settings.unpaid if garden else Barred.REJECT.value,
        "suspended": settings.suspended if garden else Barred.REJECT.value,
        "expired": settings.expired if garden else Barred.REJECT.value,
        "line_states": ["draft", "pending_installation", "terminated", "cancelled"],
    }
