"""The code on an invoice: a SEPA transfer that banking apps fill in, or the address of the payment page."""

import io
from decimal import Decimal

import segno

EPC_MOST = Decimal("999999999.99")  # EPC069-12, version 2.1, section 3: amounts of a credit transfer.
NAME_LENGTH, TEXT_LENGTH = 70, 140
# Any of the eight masks can be read; trying all for the prettiest takes five times as long (ISO/IEC 18004, 7.8).
MASK = 3


def transfer_code(*, name: str, iban: str, bic: str, amount: Decimal, text: str) -> str:
    """Return an EPC069-12 code as SVG; '' for an amount that such a transfer cannot have."""
    if not Decimal("0.01") <= amount <= EPC_MOST:
        return ""
    fields = (
        "BCD", "002", "1", "SCT", bic, name[:NAME_LENGTH], iban, f"EUR{amount:.2f}", "", "", text[:TEXT_LENGTH],
    )  # fmt: skip
    return _svg(segno.make_qr("\n".join(fields), error="m", mask=MASK, encoding="utf-8", boost_error=False))


def link_code(url: str) -> str:
    """Return an address as SVG."""
    return _svg(segno.make_qr(url, error="m", mask=MASK))


def _svg(code: segno.QRCode) -> str:
    out = io.BytesIO()
    code.save(
        out, kind="svg", border=0, xmldecl=False, svgclass=None, lineclass=None, omitsize=True
    )  # The page around it is white.
    return out.getvalue().decode()
