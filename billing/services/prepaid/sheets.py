"""What the print sheets of credit vouchers say."""

from collections.abc import Sequence

from billing.models import CreditVoucherBatch
from ispcore.money import minor_units
from ispcore.vouchers.services import render_sheet


def render_vouchers(batch: CreditVoucherBatch, codes: Sequence[str], *, provider: str) -> bytes:
    """Return the PDF of a batch, with the codes in groups of four, as people read them out."""
    worth = f"{batch.amount:.{minor_units(batch.currency)}f} {batch.currency}"
    return render_sheet(
        batch, [spaced(code) for code in codes], provider=provider, good_for=worth, in_bold=True
    )


def spaced(code: str) -> str:
    """Write a code in groups of four."""
    return " ".join(code[start : start + 4] for start in range(0, len(code), 4))
