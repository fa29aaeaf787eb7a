"""What an agent knows: values by OID, kept in walking order and already encoded."""

import threading
from bisect import bisect_left, bisect_right

from demo.olt import ber


class Mib:
    """A sorted set of variables, cheap to walk and sorted again after a change.

    One thread answers from it while others, such as a test's, may change it.
    """

    def __init__(self) -> None:
        self._varbinds: dict[bytes, bytes] = {}
        self._keys: list[bytes] = []
        self._ordered: list[bytes] = []
        self._stale = False
        self._changing = threading.Lock()

    def __len__(self) -> int:
        return len(self._varbinds)

    def put(self, oid: str, tagged: bytes) -> None:
        """Set `oid` (dotted text) to a value that carries its BER tag and length."""
        varbind = ber.encode(ber.SEQUENCE, ber.encode_oid(oid) + tagged)
        with self._changing:
            self._varbinds[ber.oid_key(oid)] = varbind
            self._stale = True

    def put_integer(self, oid: str, value: int, tag: int = ber.INTEGER) -> None:
        self.put(oid, ber.encode_integer(value, tag))

    def put_octets(self, oid: str, value: bytes) -> None:
        self.put(oid, ber.encode(ber.OCTETS, value))

    def remove(self, oid: str) -> None:
        with self._changing:
            self._varbinds.pop(ber.oid_key(oid), None)
            self._stale = True

    def varbind(self, key: bytes) -> bytes | None:
        """Return the encoded variable at exactly this key."""
        return self._varbinds.get(key)

    def after(self, key: bytes) -> int:
        """Return the position of the first variable after `key`."""
        self._sort()
        return bisect_right(self._keys, key)

    def first(self, key: bytes) -> int:
        """Return the position of `key`, or of the first variable after it."""
        self._sort()
        return bisect_left(self._keys, key)

    def rows(self, position: int, count: int) -> list[bytes]:
        self._sort()
        return self._ordered[position : position + count]

    def key(self, position: int) -> bytes | None:
        self._sort()
        return self._keys[position] if 0 <= position < len(self._keys) else None

    def _sort(self) -> None:
        if not self._stale:
            return
        with self._changing:
            self._keys = sorted(self._varbinds)
            self._ordered = [self._varbinds[key] for key in self._keys]
            self._stale = False
