"""Codes as they are made, typed and kept. In the clear they stand on the print sheet and nowhere else."""

import hashlib
import secrets

from ispcore.tenants.context import current_tenant_id

MOST_VOUCHERS = 10_000
# Without I, O, 0, 1 and L: 31 signs, so that ten of them are 49 bits and twelve are 59.
ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
SHOWN_SIGNS = 4


def normal_code(code: str) -> str:
    """Return what two spellings of one code share: capitals and digits."""
    return "".join(sign for sign in code.upper() if sign.isascii() and sign.isalnum())


def hash_code(normal: str) -> bytes:
    """Return what is kept of a code: SHA-256 over the tenant's id and the normal code."""
    return hashlib.sha256(f"{current_tenant_id()}:{normal}".encode()).digest()


def new_codes(quantity: int, *, prefix: str, random_signs: int) -> list[str]:
    """Return so many different codes, in order."""
    codes: set[str] = set()
    while len(codes) < quantity:
        codes.add(prefix + "".join(secrets.choice(ALPHABET) for _ in range(random_signs)))
    return sorted(codes)
