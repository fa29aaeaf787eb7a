"""Limits that refill while a slow machine makes its attempts."""

from ispcore.api.throttles import GcraLimit


def use_up(limit: GcraLimit, key: str) -> None:
    """Take what is left of a limit, so that the next attempt is one too many however long the last ones took."""
    while limit.take(key).allowed:
        pass
