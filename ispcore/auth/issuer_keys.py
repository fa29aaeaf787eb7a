"""The OpenID Connect issuer's public keys, fetched rarely and kept while the issuer is away."""

import time
from functools import lru_cache
from typing import Any

import structlog
from jwt import PyJWK, PyJWKClient, PyJWKSet
from jwt.exceptions import PyJWKClientConnectionError, PyJWTError

log = structlog.get_logger(__name__)

TIMEOUT_SECONDS = 5
# A withdrawn key stays good for this long, so an issuer is asked again every five minutes.
LIFESPAN_SECONDS = 300
# An unknown key id may be a new key, or an attack: at most one extra fetch in this time.
COOLDOWN_SECONDS = 30
BACK_OFF_SECONDS = 10
LAST_GOOD_SECONDS = 24 * 3600


class IssuerKeys(PyJWKClient):
    """A cached JWKS that outlives its issuer by a day. Safe between threads."""

    def __init__(self, url: str) -> None:
        super().__init__(
            url, lifespan=LIFESPAN_SECONDS, timeout=TIMEOUT_SECONDS, cooldown_duration=COOLDOWN_SECONDS
        )
        self._last_good: PyJWKSet | None = None
        self._last_good_at = 0.0
        self._asked_in_vain_at: float | None = None
        self._is_asking = False

    def get_signing_key(self, kid: str) -> PyJWK:
        """Return the key of that id, asking the issuer when it is not known.

        Raises PyJWKClientError when there is none, PyJWKClientConnectionError when that cannot be found out.
        """
        if self._is_asking and self._last_good is not None:
            # Another thread waits for the issuer, and holds the lock for it: a known key need not wait too.
            known = self.match_kid(without_shared_secrets(self._last_good.keys), kid)
            if known is not None:
                return known
        return super().get_signing_key(kid)

    def get_signing_keys(self, refresh: bool = False) -> list[PyJWK]:
        return without_shared_secrets(super().get_signing_keys(refresh))

    def get_jwk_set(self, refresh: bool = False) -> PyJWKSet:
        """Return the cached set, a fresh one, or the last good one while the issuer does not answer.

        Raises PyJWKClientConnectionError when there is none, or it is older than a day.
        """
        now = time.monotonic()
        if self._asked_in_vain_at is not None and now - self._asked_in_vain_at < BACK_OFF_SECONDS:
            return self._last_good_set(now)
        try:
            keys = super().get_jwk_set(refresh)
        except (PyJWTError, OSError, ValueError) as error:  # ValueError: what it published is no JSON.
            self._asked_in_vain_at = now
            log.warning("issuer_keys_unavailable", reason=type(error).__name__)
            return self._last_good_set(now)
        if keys is not self._last_good:
            self._last_good, self._last_good_at = keys, now
        self._asked_in_vain_at = None
        return keys

    def fetch_data(self) -> Any:
        self._is_asking = True
        try:
            return super().fetch_data()
        finally:
            self._is_asking = False

    def _last_good_set(self, now: float) -> PyJWKSet:
        if self._last_good is None or now - self._last_good_at > LAST_GOOD_SECONDS:
            raise PyJWKClientConnectionError("The issuer's keys cannot be fetched.")
        return self._last_good


def without_shared_secrets(keys: list[PyJWK]) -> list[PyJWK]:
    """Drop symmetric keys: whoever reads a published secret could sign with it (RFC 8725 §2.1)."""
    return [key for key in keys if key.key_type != "oct"]


@lru_cache(maxsize=4)
def issuer_keys(url: str) -> IssuerKeys:
    """Return this process's cache of one key set."""
    return IssuerKeys(url)
