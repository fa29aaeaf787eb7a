"""Print sheets, set by typst from a template and values: nothing a person typed is ever markup."""

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from django.conf import settings

from aaa.models import VoucherBatch

TEMPLATE = Path(settings.BASE_DIR) / "templates" / "aaa" / "vouchers.typ"
GIGABYTE = 10**9


def render_vouchers(batch: VoucherBatch, codes: Sequence[str], *, provider: str) -> bytes:
    """Return the PDF of a batch: a card for each code, 24 on an A4 page, to be cut along the lines."""
    import typst  # A library of 34 MB that only the worker needs that makes a sheet.

    values = {
        "provider": provider,
        "batch": batch.name,
        "limits": limits_of(batch),
        "before": f"{batch.use_before:%Y-%m-%d}" if batch.use_before else "",
        "codes": list(codes),
    }
    pdf: bytes = typst.compile(
        TEMPLATE.read_bytes(),
        format="pdf",
        sys_inputs={"values": json.dumps(values)},
        ignore_system_fonts=True,
    )
    return pdf


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
