"""ID tokens: what the stock library takes and must not, and every way of forging one."""

import time
from functools import partial
from typing import Any

import pytest

from ispcore.auth import id_tokens
from ispcore.auth.id_tokens import IdTokenRefused, IssuerAway
from tests.auth import issuer

CLIENT = "ispcore"
NONCE = "nonce-of-this-browser"
NOW = int(time.time())


def id_token(*, head: dict[str, Any] | None = None, sign: Any = issuer.rs256, **changes: Any) -> str:
    """Make a good ID token for us, or one that differs in what is given."""
    usual = {"aud": CLIENT, "nonce": NONCE, "client_id": None, "jti": None}
    return issuer.token(head={"typ": "JWT", **(head or {})}, sign=sign, **{**usual, **changes})


# Each differs from a token that is accepted in the one thing its name says.
ATTACKS = {
    "for another client": lambda: id_token(aud="another"),
    "for the API": lambda: id_token(aud=issuer.AUDIENCE),
    "of another issuer": lambda: id_token(iss="https://evil.example"),
    "issuer with a slash": lambda: id_token(iss=f"{issuer.ISSUER}/"),
    "no exp": lambda: id_token(exp=None),
    "no iat": lambda: id_token(iat=None),
    "no iss": lambda: id_token(iss=None),
    "no aud": lambda: id_token(aud=None),
    "no sub": lambda: id_token(sub=None),
    "no nonce": lambda: id_token(nonce=None),
    "another nonce": lambda: id_token(nonce="nonce-of-another-browser"),
    "nonce a list": lambda: id_token(nonce=[NONCE]),
    "several audiences, no azp": lambda: id_token(aud=[CLIENT, "another"]),
    "azp another client": lambda: id_token(azp="another"),
    "several audiences, azp another client": lambda: id_token(aud=[CLIENT, "another"], azp="another"),
    "access token": lambda: id_token(head={"typ": "at+jwt"}),
    "access token, long typ": lambda: id_token(head={"typ": "application/at+jwt"}),
    "logout token": lambda: id_token(head={"typ": "logout+jwt"}),
    "expired": lambda: id_token(iat=NOW - 900, exp=NOW - 300),
    "issued in the future": lambda: id_token(iat=NOW + 3600, exp=NOW + 7200),
    "not valid yet": lambda: id_token(nbf=NOW + 3600),
    "exp a word": lambda: id_token(exp="soon"),
    "exp beyond numbers": lambda: id_token(exp=float("inf")),
    "no kid": lambda: id_token(head={"kid": None}),
    "unknown kid": lambda: id_token(head={"kid": "unheard-of"}),
    "kid a number": lambda: id_token(head={"kid": 1}),
    "alg none": lambda: id_token(head={"alg": "none"}, sign=lambda data: b"-"),
    "alg none, no signature": lambda: id_token(head={"alg": "none"}).rsplit(".", 1)[0] + ".",
    "alg missing": lambda: id_token(head={"alg": None}),
    "HS256 with the public key": lambda: id_token(
        head={"alg": "HS256"}, sign=partial(issuer.hs256, secret=issuer.public_pem())
    ),
    "HS256 with the client's secret": lambda: id_token(
        head={"alg": "HS256"}, sign=partial(issuer.hs256, secret=b"client-secret-of-the-settings-file")
    ),
    "ES256": lambda: id_token(head={"alg": "ES256"}),
    "PS256 though RS256 is agreed": lambda: id_token(head={"alg": "PS256"}),
    "foreign key, same kid": lambda: id_token(sign=partial(issuer.rs256, key=issuer.FOREIGN)),
    "small key": lambda: id_token(head={"kid": "small"}, sign=partial(issuer.rs256, key=issuer.SMALL)),
    "embedded jwk": lambda: id_token(
        head={"jwk": issuer.public_jwk(issuer.FOREIGN)}, sign=partial(issuer.rs256, key=issuer.FOREIGN)
    ),
    "jku": lambda: id_token(head={"jku": "http://127.0.0.1:9/jwks"}),
    "x5u": lambda: id_token(head={"x5u": "http://127.0.0.1:9/cert"}),
    "critical extension": lambda: id_token(head={"crit": ["b64"], "b64": False}),
    "sub a number": lambda: id_token(sub=7),
    "sub empty": lambda: id_token(sub=""),
    "sub with NUL": lambda: id_token(sub="alice\x00"),
    "sub with a lone surrogate": lambda: id_token(sub="alice\ud800"),
    "sub too long": lambda: id_token(sub="x" * 256),
    "payload exchanged": lambda: ".".join(
        [id_token().split(".")[0], id_token(sub="bob").split(".")[1], id_token().split(".")[2]]
    ),
    "garbage": lambda: "a.b.c",
    "empty": lambda: "",
    "none at all": lambda: None,
    "a list": lambda: [id_token()],
    "forty kilobytes": lambda: id_token(groups="x" * 40_000),
}


@pytest.fixture
def client(keys: issuer.KeyServer, settings: Any) -> issuer.KeyServer:
    """Us, a client of the issuer, and keys that no honest issuer would publish beside its own."""
    settings.OIDC_RP_CLIENT_ID = CLIENT
    settings.OIDC_RP_CLIENT_SECRET = "client-secret-of-the-settings-file"
    settings.OIDC_RP_SIGN_ALGO = "RS256"
    keys.keys += [
        issuer.public_jwk(issuer.SMALL, kid="small"),
        {"kty": "oct", "kid": "shared", "alg": "HS256", "k": issuer.b64(issuer.SHARED_SECRET)},
    ]
    return keys


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_refuses_a_token_that_is_not_exactly_right(client, attack):
    forged = attack()

    with pytest.raises(IdTokenRefused):
        id_tokens.verify(forged, nonce=NONCE)

    assert client.fetches <= 1


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"aud": [CLIENT]},
        {"aud": [CLIENT, "another"], "azp": CLIENT},
        {"azp": CLIENT},
        {"head": {"typ": None}},
        {"groups": ["north:support"], "name": "Alice"},
    ],
    ids=["plain", "one audience in a list", "several, azp us", "azp us", "no typ", "more claims"],
)
def test_accepts_what_the_standard_allows(client, changes):
    assert id_tokens.verify(id_token(**changes), nonce=NONCE)["sub"] == "alice-7f3"


def test_nothing_is_accepted_that_nobody_asked_for(client):
    with pytest.raises(IdTokenRefused):
        id_tokens.verify(id_token(nonce=""), nonce="")


def test_says_that_the_issuer_is_away_when_its_keys_were_never_seen(client):
    client.status = 500

    with pytest.raises(IssuerAway):
        id_tokens.verify(id_token(), nonce=NONCE)
