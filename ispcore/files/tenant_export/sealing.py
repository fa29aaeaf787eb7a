"""Secrets on their way from one installation to another, under a passphrase of the operator's own.

Keys of an installation never leave it, and nothing that is sealed with them would open elsewhere. So each secret is
opened, and sealed anew with a key made of the passphrase by scrypt (RFC 7914), AES-256-GCM, bound to column and
tenant as at rest. Without a passphrase secrets are left out.
"""

import base64
import os
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from ispcore.errors import DomainError

SHORTEST = 12
# OWASP Password Storage Cheat Sheet: N=2^17, r=8, p=1; 128 MiB and a third of a second for each guess.
COST, BLOCK_SIZE, PARALLEL = 2**17, 8, 1
SALT_BYTES, NONCE_BYTES = 16, 12
PREFIX = "x1."
_CHECKED = "passphrase"


class PassphraseTooShort(DomainError):
    code = "passphrase_too_short"
    message = (
        f"The passphrase needs at least {SHORTEST} characters: whoever has the file may try without end."
    )
    field = "passphrase"


class WrongPassphrase(DomainError):
    code = "wrong_passphrase"
    message = "This is not the passphrase the file was made with."


class Sealer:
    """Seals and opens the secrets of one file."""

    def __init__(self, passphrase: str, *, salt: bytes | None = None) -> None:
        """Raises PassphraseTooShort."""
        if len(passphrase) < SHORTEST:
            raise PassphraseTooShort
        self.salt = salt or os.urandom(SALT_BYTES)
        kdf = Scrypt(salt=self.salt, length=32, n=COST, r=BLOCK_SIZE, p=PARALLEL)
        self._key = AESGCM(kdf.derive(passphrase.encode()))

    def seal(self, plain: str, *, bound_to: str) -> str:
        nonce = os.urandom(NONCE_BYTES)
        sealed = nonce + self._key.encrypt(nonce, plain.encode(), bound_to.encode())
        return PREFIX + base64.b64encode(sealed).decode()

    def open(self, sealed: str, *, bound_to: str) -> str:
        """Raises WrongPassphrase, also for a text that was moved to another column or changed."""
        try:
            body = base64.b64decode(sealed.removeprefix(PREFIX), validate=True)
            return self._key.decrypt(body[:NONCE_BYTES], body[NONCE_BYTES:], bound_to.encode()).decode()
        except (ValueError, InvalidTag) as error:
            raise WrongPassphrase from error

    def proof(self) -> dict[str, str]:
        """Return what the manifest keeps, so that a wrong passphrase is known before anything is read."""
        return {
            "salt": base64.b64encode(self.salt).decode(),
            "check": self.seal(_CHECKED, bound_to="manifest"),
        }

    @classmethod
    def proven(cls, passphrase: str, proof: dict[str, str]) -> Self:
        """Return the sealer of a file. Raises WrongPassphrase."""
        try:
            salt = base64.b64decode(proof["salt"], validate=True)
        except ValueError as error:
            raise WrongPassphrase from error
        sealer = cls(passphrase, salt=salt)
        sealer.open(proof["check"], bound_to="manifest")
        return sealer
