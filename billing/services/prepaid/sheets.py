"""Print sheets, set by typst from a template and values: nothing a person typed is ever markup."""

import json
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings

from billing.models import CreditVoucherBatch
from ispcore.money import minor_units

TEMPLATE = Path(settings.BASE_DIR) / "templates" / "billing" / "vouchers.typ"


def render_vouchers(batch: CreditVoucherBatch, codes: Sequence[str], *, provider: str) -> bytes:
    """Return the PDF of a batch: a card for each code, 24 on an A4 page, to be cut along the lines."""
    import typst  # A library of 34 MB that only the worker needs that makes a sheet.

    values = {
        "provider": provider,
        "batch": batch.name,
        "worth": f"{batch.amount:.{minor_units(batch.currency)}f} {batch.currency}",
        "before": f"{batch.use_before:%Y-%m-%d}" if batch.use_before else "",
        "codes": [spaced(code) for code in codes],
    }
    pdf: bytes = typst.compile(
        TEMPLATE.read_bytes(),
        format="pdf",
        sys_inputs={"values": json.dumps(values)},
        ignore_system_fonts=True,
    )
    return pdf


def spaced(code: str) -> str:
    """Write a code in groups of four, as people read it out."""
    return " ".join(code[start : start + 4] for start in range(0, len(code), 4))
