"""Sessions of staff in a browser, which end when nobody uses them and however much they are used.

Kept in the session itself: when it began and when it was seen last. Only what reads `request.user` asks, so a page
without a log-in neither touches a session nor varies by cookie.
"""

import time
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import db

BEGAN_KEY, SEEN_KEY = "began", "seen"
# A page seen again sooner than this does not cost a write.
NOTE_AGAIN_SECONDS = 60


class SessionStore(db.SessionStore):
    """Django's own, in the database, that notes when somebody logged in."""

    def cycle_key(self) -> None:
        """Take a new key, as at a log-in or with a new password: the time begins anew with it."""
        self.pop(BEGAN_KEY, None)
        super().cycle_key()

    def save(self, must_create: bool = False) -> None:
        kept: dict[str, Any] = self._get_session(no_load=must_create)  # type: ignore[attr-defined]
        if SESSION_KEY in kept:
            kept.setdefault(BEGAN_KEY, int(time.time()))
            kept[SEEN_KEY] = int(time.time())
        super().save(must_create=must_create)


def is_too_old(session: Any) -> bool:
    """Tell whether a log-in has lasted too long or was not used for too long.

    One from before these times were kept, begins now.
    """
    if SESSION_KEY not in session:
        return False
    now = time.time()
    began, seen = float(session.get(BEGAN_KEY, now)), float(session.get(SEEN_KEY, now))
    return seen <= now - settings.SESSION_IDLE_MINUTES * 60 or began <= now - settings.SESSION_HOURS * 3600


def note_seen(session: Any) -> None:
    """Have the session saved with this request, unless it was saved within the last minute."""
    if SESSION_KEY in session and session.get(SEEN_KEY, 0) <= time.time() - NOTE_AGAIN_SECONDS:
        session.modified = True
