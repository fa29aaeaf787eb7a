"""Secrets that PostgreSQL opens by itself: what FreeRADIUS needs in clear to check CHAP or to sign a packet.

PostgreSQL's core has SHA-256 and no cipher, so the cipher is built of HMAC-SHA-256 alone (docs/adr/0012):

    body       = nonce (16 random bytes) || ciphertext || tag (32 bytes)
    ciphertext = plain XOR K(1) || K(2) || …      K(i) = PRF(key, [i] || "stream" || 0x00 || nonce || [bits])
    tag        = PRF(key, "tag" || 0x00 || nonce || bound_to || 0x00 || ciphertext)
    stored     = "h1." key id "." base64(body)

K is the counter mode of NIST SP 800-108r1 section 4.1 with HMAC as its PRF, [i] and [bits] in 32 bits, big-endian,
[bits] the length of the ciphertext; the tag is made over what was encrypted (encrypt-then-MAC). No input of the one
use can be an input of the other: the first begins with four bytes of a small counter, the second with a letter.
`bound_to` is "<table>.<column>:<tenant id>". The same is written in aaa/sql/open.sql; tests hold the two together.
"""

import base64
import hashlib
import hmac
import os

from ispcore.crypto import Undecryptable, key_ring

NONCE_BYTES, TAG_BYTES, BLOCK_BYTES = 16, 32, 32


def seal(plain: str, *, bound_to: str) -> str:
    """Encrypt with the first configured key; every call gives another text."""
    key_id, key = next(iter(key_ring("RADIUS_SECRET_KEY").items()))
    nonce = os.urandom(NONCE_BYTES)
    sealed = _xor(plain.encode(), key=key, nonce=nonce)
    body = nonce + sealed + _tag(key, nonce, bound_to, sealed)
    return f"h1.{key_id}.{base64.b64encode(body).decode()}"


def unseal(stored: str, *, bound_to: str) -> str:
    """Open what `seal` made with any configured key.

    Raises Undecryptable when the key is not configured, or the text belongs to another column or tenant.
    """
    try:
        version, key_id, encoded = stored.split(".", 2)
        key = key_ring("RADIUS_SECRET_KEY")[key_id]
        body = base64.b64decode(encoded, validate=True)
        nonce, sealed, tag = body[:NONCE_BYTES], body[NONCE_BYTES:-TAG_BYTES], body[-TAG_BYTES:]
        if version != "h1" or not hmac.compare_digest(tag, _tag(key, nonce, bound_to, sealed)):
            raise ValueError("made with another key, or for another column or tenant")
        return _xor(sealed, key=key, nonce=nonce).decode()
    except (ValueError, KeyError) as error:
        raise Undecryptable(
            "A stored RADIUS secret cannot be opened: its key is missing from RADIUS_SECRET_KEY, "
            "or it belongs to another column or tenant."
        ) from error


def connection_setting() -> str:
    """Return what a connection of isp_radius sets as `isp.radius_key`: "id:inner pad:outer pad", comma separated.

    The pads are the key XOR 0x36… and 0x5c…, 64 bytes each in hexadecimal (RFC 2104 section 2), so that the
    database need not make them at each log-in. Whoever has them has the key.
    """
    return ",".join(
        f"{key_id}:{_pad(key, 0x36)}:{_pad(key, 0x5C)}"
        for key_id, key in key_ring("RADIUS_SECRET_KEY").items()
    )


def _pad(key: bytes, byte: int) -> str:
    return bytes(octet ^ byte for octet in key.ljust(64, b"\0")).hex()


def _xor(text: bytes, *, key: bytes, nonce: bytes) -> bytes:
    bits = (len(text) * 8).to_bytes(4, "big")
    stream = b"".join(
        _prf(key, counter.to_bytes(4, "big") + b"stream\0" + nonce + bits)
        for counter in range(1, -(-len(text) // BLOCK_BYTES) + 1)
    )
    return bytes(a ^ b for a, b in zip(text, stream, strict=False))


def _tag(key: bytes, nonce: bytes, bound_to: str, sealed: bytes) -> bytes:
    return _prf(key, b"tag\0" + nonce + bound_to.encode() + b"\0" + sealed)


def _prf(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, hashlib.sha256)
