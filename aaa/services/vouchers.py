"""Hotspot vouchers: made in batches, printed once, redeemed once.

A code is kept as a hash only; in the clear it stands on the sheet, which is made in the same transaction. Redeeming
makes the account that logs in with the code as user name and password, so that what was typed at the hotspot's page
goes on working until the time or the data is used up.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from aaa.models import Account, Policy, ServiceProfile, Voucher, VoucherBatch, VoucherState
from aaa.services import settling, sheets
from aaa.services.accounts import ProfileUnknown, RadiusServiceUnknown
from ispcore.errors import DomainError, NotRegistered
from ispcore.events.services import publish
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job
from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.models import Tenant
from ispcore.vouchers import services
from ispcore.vouchers.codes import normal_code

KIND = "aaa.make_vouchers"
RANDOM_SIGNS = 10
# How long the account of a voucher that is used up stays, for its owner to ask about.
KEPT_HOURS = 7 * 24


class VoucherUnknown(NotRegistered):
    code = "voucher_unknown"
    message = "There is no such voucher."
    field = "code"


class VoucherUsed(DomainError):
    code = "voucher_used"
    message = "This voucher was used on {used_at:%Y-%m-%d %H:%M} UTC."
    field = "code"


class VoucherOver(DomainError):
    code = "voucher_over"
    message = "This voucher is {state}."
    field = "code"


class VoucherNotRevocable(DomainError):
    code = "voucher_not_unused"
    message = "Only a voucher that nobody used yet can be revoked; this one is {state}. Switch its account off instead."


class BatchInUse(DomainError):
    code = "batch_in_use"
    message = "{count} vouchers of {name} were used already. Revoke those that are left instead."


@transaction.atomic
def create_batch(*, user_id: UUID | None, **fields: Any) -> tuple[VoucherBatch, Job]:
    """Register a batch and start the job that makes its vouchers and their sheet.

    Raises RadiusServiceUnknown, ProfileUnknown.
    """
    if not ServiceProfile.objects.filter(pk=fields["service_profile_id"]).exists():
        raise RadiusServiceUnknown
    if fields.get("policy_id") and not Policy.objects.filter(pk=fields["policy_id"]).exists():
        raise ProfileUnknown
    fields["prefix"] = normal_code(fields.get("prefix", ""))
    batch: VoucherBatch = VoucherBatch.objects.create(created_by_id=user_id, **fields)
    job = jobs.enqueue(
        kind=KIND,
        params={"batch_id": str(batch.pk)},
        label=f"{batch.quantity} vouchers: {batch.name}",
        subject=f"batch:{batch.pk}",
        user_id=user_id,
    )
    return batch, job


def make_vouchers(run: jobs.Run, *, at: datetime) -> dict[str, Any]:
    """Make a batch's vouchers and their sheet, as `ispcore.vouchers.services.make_vouchers` does."""
    return services.make_vouchers(
        run,
        batches=VoucherBatch.objects.select_related("policy"),
        random_signs=RANDOM_SIGNS,
        sheet_name="vouchers",
        render=sheets.render_vouchers,
        at=at,
    )


@transaction.atomic
def redeem(*, code: str, at: datetime, station: str = "") -> Account:
    """Turn a voucher into an account that runs from now on; of many at once one succeeds.

    `station` is the device it is bound to, where the portal knows it. Raises VoucherUnknown, VoucherUsed, VoucherOver.
    """
    normal = normal_code(code)
    found: Voucher | None = services.lock_voucher(Voucher.objects.all(), normal)
    if found is None:
        raise VoucherUnknown
    if found.state == VoucherState.ACTIVE and found.used_at is not None:
        raise VoucherUsed(used_at=found.used_at)
    if found.state != VoucherState.UNUSED:
        raise VoucherOver(state=found.get_state_display().lower())
    batch = found.batch
    if batch.use_before is not None and batch.use_before <= at:
        raise VoucherOver(state="out of date")
    ends_at = at + timedelta(minutes=batch.valid_minutes) if batch.valid_minutes else None
    account: Account = Account.objects.create(
        username=normal,
        name=f"Voucher {found.shown}",
        password=normal,
        expires_at=ends_at,
        timezone=Tenant.objects.values_list("timezone", flat=True).get(pk=current_tenant_id()),
        service_profile_id=batch.service_profile_id,
        policy_id=batch.policy_id,
        cap_bytes=batch.data_bytes,
        calling_station_id=station,
        inactive_purge_hours=KEPT_HOURS,
    )
    found.state, found.account, found.used_at, found.ends_at = VoucherState.ACTIVE, account, at, ends_at
    found.save(update_fields=["state", "account", "used_at", "ends_at", "updated_at"])
    settling.settle([account.pk], at=at)
    account.refresh_from_db()
    publish("aaa.account_changed", account_id=str(account.pk))
    return account


@transaction.atomic
def revoke_voucher(*, voucher_id: UUID) -> Voucher:
    """Make an unused voucher worthless. Safe to repeat. Raises VoucherNotRevocable."""
    voucher: Voucher = Voucher.objects.select_for_update(of=("self",)).get(pk=voucher_id)
    if voucher.state not in (VoucherState.UNUSED, VoucherState.REVOKED):
        raise VoucherNotRevocable(state=voucher.get_state_display().lower())
    voucher.state = VoucherState.REVOKED
    voucher.save(update_fields=["state", "updated_at"])
    return voucher


@transaction.atomic
def revoke_batch(*, batch_id: UUID, at: datetime) -> int:
    """Make all unused vouchers of a batch worthless; return how many. Safe to repeat."""
    unused = Voucher.objects.filter(batch=batch_id, state=VoucherState.UNUSED)
    return int(unused.update(state=VoucherState.REVOKED, updated_at=at))


@transaction.atomic
def remove_batch(*, batch_id: UUID) -> None:
    """Delete a batch none of whose vouchers was used. Raises BatchInUse."""
    batch = VoucherBatch.objects.select_for_update(of=("self",)).get(pk=batch_id)
    count = Voucher.objects.filter(batch=batch, state__in=(VoucherState.ACTIVE, VoucherState.USED_UP)).count()
    if count:
        raise BatchInUse(name=batch.name, count=count)
    batch.delete()


@transaction.atomic
def end_vouchers(*, at: datetime, account_ids: Sequence[UUID] = ()) -> int:
    """Mark the bound tenant's vouchers as used up whose time is over, or whose accounts have used their data.

    Returns how many. Safe to repeat. Their accounts refuse log-ins by themselves and are purged a week later.
    """
    over = Q(ends_at__lte=at) | Q(account__in=list(account_ids))
    ended = Voucher.objects.filter(over, state=VoucherState.ACTIVE)
    return int(ended.update(state=VoucherState.USED_UP, updated_at=at))
