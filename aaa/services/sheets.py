"""What the print sheets of hotspot vouchers say."""

from collections.abc import Sequence
from datetime import timedelta

from aaa.models import VoucherBatch
from ispcore.vouchers.services import render_sheet

GIGABYTE = 10**9


def render_vouchers(batch: VoucherBatch, codes: Sequence[str], *, provider: str) -> bytes:
    """Return the PDF of a batch, with the codes as they are typed at the hotspot's page."""
    return render_sheet(batch, codes, provider=provider, good_for=limits_of(batch))


def limits_of(batch: VoucherBatch) -> str:
    """Say in a line what a voucher is good for: '1 d 2 h, 5 GB, 20 Mbit/s'."""
    parts = []
    if batch.valid_minutes:
        parts.append(_duration(timedelta(minutes=batch.valid_minutes)))
    if batch.data_bytes:
        parts.append(f"{batch.data_bytes / GIGABYTE:.3g} GB")
    if batch.policy_id and batch.policy and batch.policy.down_kbps:
        parts.append(f"{batch.policy.down_kbps / 1000:.3g} Mbit/s")
    return ", ".join(parts)


def _duration(time: timedelta) -> str:
    hours, minutes = divmod(time.seconds // 60, 60)
    named = ((time.days, "d"), (hours, "h"), (minutes, "min"))
    return " ".join(f"{count} {unit}" for count, unit in named if count)
