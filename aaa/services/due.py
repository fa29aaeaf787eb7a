"""Which tenants the clock has something for, read across tenants through the platform role."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Model, QuerySet

from aaa.models import Account, AccountState, Policy, TopUp, Voucher, VoucherState
from aaa.services.policies import is_behind_its_plan

LOOK_BACK = timedelta(minutes=30)  # A beat that was down for longer is followed by the sweep of all accounts.


def tenants_with_something_due(*, at: datetime) -> list[UUID]:
    """List tenants with accounts just expired, caps, top-ups or vouchers that end, or plans that changed."""
    rows = (
        _of(Account).filter(expires_at__gt=at - LOOK_BACK, expires_at__lte=at),
        _of(AccountState).filter(period_ends_at__lte=at),
        _of(TopUp).filter(closed_at=None, expires_at__lte=at),
        _of(Voucher).filter(state=VoucherState.ACTIVE, ends_at__lte=at),
        _of(Policy).filter(is_behind_its_plan()),
    )
    found: set[UUID] = set()
    for each in rows:
        found.update(each.order_by().values_list("tenant_id", flat=True).distinct())
    return sorted(found)


def tenants_with_accounts() -> list[UUID]:
    return sorted(_of(Account).order_by().values_list("tenant_id", flat=True).distinct())


def _of(model: type[Model]) -> QuerySet[Any]:
    rows: QuerySet[Any] = model._base_manager.using("platform")
    return rows
