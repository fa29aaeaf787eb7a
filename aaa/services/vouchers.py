"""Hotspot vouchers: made in batches, printed once, redeemed once.

A code is kept as a hash only; in the clear it stands on the sheet, which is made in the same transaction. Redeeming
makes the account that logs in with the code as user name and password, so that what was typed at the hotspot's page
goes on working until the time or the data is used up.
"""

import hashlib
import secrets
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
from ispcore.files.services import write_file
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job
from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.models import Tenant

KIND = "aaa.make_vouchers"
# Without I, O, 0, 1 and L: 31 signs, so that ten of them are 49 bits.
ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
RANDOM_SIGNS = 10
SHOWN_SIGNS = 4
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


def make_vouchers(run: jobs.Run) -> dict[str, Any]:
    """Make a batch's vouchers and the sheet they are printed on: all or none. Safe to repeat: made once.

    Codes and sheet are made before the transaction; a worker that dies leaves nothing, and the next makes new ones.
    """
    with run.tenant():
        batch = VoucherBatch.objects.select_related("policy").get(pk=run.params["batch_id"])
        provider = Tenant.objects.get(pk=current_tenant_id()).name
        if batch.sheet_id:
            return _made(batch)
    codes = _codes(batch)
    run.progress(0, batch.quantity, "Printing the sheet")
    pdf = sheets.render_vouchers(batch, codes, provider=provider)
    with run.tenant():
        run.hold()
        batch = VoucherBatch.objects.select_for_update(of=("self",)).get(pk=batch.pk)
        if batch.sheet_id is None:
            Voucher.objects.bulk_create(
                [
                    Voucher(
                        batch=batch, code_hash=hash_code(code), shown=code[: len(batch.prefix) + SHOWN_SIGNS]
                    )
                    for code in codes
                ],
                batch_size=2000,
            )
            with write_file(
                name=f"vouchers-{batch.created_at:%Y-%m-%d}-{batch.pk.hex[-6:]}.pdf",
                media_type="application/pdf",
                app_label="aaa",
                user_id=run.user_id,
            ) as (file, stream):
                stream.write(pdf)
            batch.sheet = file
            batch.save(update_fields=["sheet", "updated_at"])
    return _made(batch)


@transaction.atomic
def redeem(*, code: str, at: datetime, station: str = "") -> Account:
    """Turn a voucher into an account that runs from now on; of many at once one succeeds.

    `station` is the device it is bound to, where the portal knows it. Raises VoucherUnknown, VoucherUsed, VoucherOver.
    """
    normal = normal_code(code)
    found: Voucher | None = (
        Voucher.objects.select_for_update(of=("self",))
        .select_related("batch")
        .filter(code_hash=hash_code(normal))
        .first()
    )
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


def normal_code(code: str) -> str:
    """Return what two spellings of one code share: capitals and digits."""
    return "".join(sign for sign in code.upper() if sign.isascii() and sign.isalnum())


def hash_code(normal: str) -> bytes:
    """Return what is kept of a code: SHA-256 over the tenant's id and the normal code."""
    return hashlib.sha256(f"{current_tenant_id()}:{normal}".encode()).digest()


def _codes(batch: VoucherBatch) -> list[str]:
    codes: set[str] = set()
    while len(codes) < batch.quantity:
        codes.add(batch.prefix + "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_SIGNS)))
    return sorted(codes)


def _made(batch: VoucherBatch) -> dict[str, Any]:
    return {
        "batch_id": str(batch.pk),
        "vouchers": batch.quantity,
        "file_id": str(batch.sheet_id),
        "url": f"/api/v1/files/{batch.sheet_id}/content",
    }
