"""What a provider shows of itself, and the checks on it."""

import base64
import re
import struct
from typing import Any

from django.db import transaction

from billing.models import BillingIdentity
from ispcore.errors import DomainError
from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.models import Tenant

LOGO_BYTES = 200 * 1024
LOGO_PIXELS = 2000
PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")  # ISO 13616-1.
BIC = re.compile(r"[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?")  # ISO 9362.
LINES = 5


class BadIban(DomainError):
    code = "validation_error"
    message = "This is no IBAN: its check digits do not fit. Copy it from the bank's own papers."
    status = 422
    field = "iban"


class BadBic(DomainError):
    code = "validation_error"
    message = "A BIC has 8 or 11 letters and digits, such as COBADEFFXXX."
    status = 422
    field = "bic"


class BadLogo(DomainError):
    code = "validation_error"
    message = "Give a PNG or JPEG of at most 200 kB and 2,000 × 2,000 pixels."
    status = 422
    field = "logo"


class TooManyLines(DomainError):
    code = "validation_error"
    message = f"An address has {LINES} lines at most."
    status = 422
    field = "address"


def billing_identity() -> BillingIdentity:
    """Return what the bound tenant shows; only its name when nothing was ever set."""
    found: BillingIdentity | None = BillingIdentity.objects.first()
    if found is not None:
        return found
    return BillingIdentity(
        legal_name=Tenant.objects.values_list("name", flat=True).get(pk=current_tenant_id())
    )


@transaction.atomic
def change_identity(**changes: Any) -> BillingIdentity:
    """Change what is given. Safe to repeat; invoices made from now on show it, those made before when asked for anew.

    Raises BadIban, BadBic, BadLogo, TooManyLines.
    """
    identity = billing_identity()
    if identity._state.adding:
        identity.save()
    identity = BillingIdentity.objects.select_for_update(of=("self",)).get(pk=identity.pk)
    for name, value in changes.items():
        setattr(identity, name, value)
    identity.iban = "".join(identity.iban.split()).upper()
    identity.bic = "".join(identity.bic.split()).upper()
    if identity.iban and not is_iban(identity.iban):
        raise BadIban
    if identity.bic and not BIC.fullmatch(identity.bic):
        raise BadBic
    if len(identity.address.splitlines()) > LINES:
        raise TooManyLines
    if identity.logo:
        size_of(bytes(identity.logo))
    identity.save()
    changed: BillingIdentity = identity
    return changed


def is_iban(text: str) -> bool:
    """Tell whether an IBAN's check digits fit (ISO 7064, MOD 97-10)."""
    if not IBAN.fullmatch(text):
        return False
    turned = text[4:] + text[:4]
    return int("".join(str(int(sign, 36)) for sign in turned)) % 97 == 1


def logo_svg(logo: bytes) -> str:
    """Return a logo as an SVG that holds it; '' without one. The document's values are text, and this is its form."""
    if not logo:
        return ""
    width, height = size_of(logo)
    kind = "png" if logo.startswith(PNG) else "jpeg"
    data = base64.b64encode(logo).decode()
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">'
        f'<image width="{width}" height="{height}" href="data:image/{kind};base64,{data}"/></svg>'
    )


def size_of(logo: bytes) -> tuple[int, int]:
    """Return the width and height of a PNG or JPEG in pixels. Raises BadLogo."""
    if len(logo) > LOGO_BYTES:
        raise BadLogo
    size = _png_size(logo) if logo.startswith(PNG) else _jpeg_size(logo) if logo.startswith(JPEG) else None
    if size is None or not all(0 < side <= LOGO_PIXELS for side in size):
        raise BadLogo
    return size


def _png_size(logo: bytes) -> tuple[int, int] | None:
    """Read IHDR, which is first (RFC 2083, section 4.1.1)."""
    return struct.unpack(">II", logo[16:24]) if len(logo) >= 24 and logo[12:16] == b"IHDR" else None


def _jpeg_size(logo: bytes) -> tuple[int, int] | None:
    """Walk the segments to the frame header (ITU-T T.81, annex B)."""
    at = 2
    while at + 9 <= len(logo) and logo[at] == 0xFF:
        marker, length = logo[at + 1], int.from_bytes(logo[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", logo[at + 5 : at + 9])
            return width, height
        at += 2 + length
    return None
