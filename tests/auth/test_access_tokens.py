import time
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import jwt
import pytest

from ispcore.api.errors import ApiError
from ispcore.auth import access_tokens
from ispcore.auth.access_tokens import Claims
from ispcore.auth.authenticate import authenticate
from ispcore.auth.refusals import InvalidToken, TokenExpired
from tests.auth import issuer

NOW = int(time.time())
USER = UUID("01900000-0000-7000-8000-000000000001")
NESTED = b'{"iss":"' + issuer.ISSUER.encode() + b'","a":' + b"[" * 2500 + b"]" * 2500 + b"}"

# Each differs from a token that is accepted in the one thing its name says.
ATTACKS = {
    "alg none": lambda: issuer.token(head={"alg": "none"}, sign=lambda data: b"-"),
    "alg none, no signature": lambda: issuer.token(head={"alg": "none"}).rsplit(".", 1)[0] + ".",
    "alg missing": lambda: issuer.token(head={"alg": None}),
    "alg a list": lambda: issuer.token(head={"alg": ["RS256"]}),
    "HS256 with the public key as secret": lambda: issuer.token(
        head={"alg": "HS256"}, sign=partial(issuer.hs256, secret=issuer.public_pem())
    ),
    "HS256 with a secret from the JWKS": lambda: issuer.token(
        head={"alg": "HS256", "kid": "shared"}, sign=partial(issuer.hs256, secret=issuer.SHARED_SECRET)
    ),
    "another algorithm of the same key": lambda: issuer.token(head={"alg": "PS256"}),
    "another family": lambda: issuer.token(head={"alg": "ES256"}),
    "foreign key, same kid": lambda: issuer.token(sign=partial(issuer.rs256, key=issuer.FOREIGN)),
    "unknown kid": lambda: issuer.token(head={"kid": "unheard-of"}),
    "kid missing": lambda: issuer.token(head={"kid": None}),
    "kid a number": lambda: issuer.token(head={"kid": 1}),
    "small RSA key": lambda: issuer.token(
        head={"kid": "small"}, sign=partial(issuer.rs256, key=issuer.SMALL)
    ),
    "embedded jwk": lambda: issuer.token(
        head={"jwk": issuer.public_jwk(issuer.FOREIGN)}, sign=partial(issuer.rs256, key=issuer.FOREIGN)
    ),
    "jku": lambda: issuer.token(head={"jku": "http://127.0.0.1:9/jwks"}),
    "x5u": lambda: issuer.token(head={"x5u": "http://127.0.0.1:9/cert"}),
    "x5c": lambda: issuer.token(head={"x5c": ["MIIB"]}),
    "critical extension": lambda: issuer.token(head={"crit": ["b64"], "b64": False}),
    "typ JWT": lambda: issuer.token(head={"typ": "JWT"}),
    "typ missing": lambda: issuer.token(head={"typ": None}),
    "wrong issuer": lambda: issuer.token(iss="https://evil.example"),
    "issuer with a slash": lambda: issuer.token(iss=issuer.ISSUER + "/"),
    "issuer a list": lambda: issuer.token(iss=[issuer.ISSUER]),
    "local issuer, foreign key": lambda: issuer.token(iss="urn:ispcore:local"),
    "wrong audience": lambda: issuer.token(aud="portal"),
    "wrong audiences": lambda: issuer.token(aud=["portal", "urn:ispcore:api2"]),
    "issued in the future": lambda: issuer.token(iat=NOW + 3600, exp=NOW + 7200),
    "not valid yet": lambda: issuer.token(nbf=NOW + 3600),
    "exp a word": lambda: issuer.token(exp="soon"),
    "exp beyond numbers": lambda: issuer.token(exp=float("inf")),
    "sub a number": lambda: issuer.token(sub=7),
    "sub empty": lambda: issuer.token(sub=""),
    "sub with NUL": lambda: issuer.token(sub="alice\x00"),
    "client_id a list": lambda: issuer.token(client_id=["portal"]),
    **{
        f"no {claim}": partial(issuer.token, **{claim: None})
        for claim in ("iss", "aud", "exp", "iat", "sub", "client_id", "jti")
    },
    "payload a list": lambda: issuer.assemble(issuer.header(), b"[]"),
    "header a list": lambda: issuer.assemble(b"[]", issuer.claims()),
    "payload no JSON": lambda: issuer.assemble(issuer.header(), b"{"),
    "payload nested too deep": lambda: issuer.assemble(issuer.header(), NESTED),
    "payload no UTF-8": lambda: issuer.assemble(issuer.header(), b'{"iss":"\xff"}'),
    "signature cut": lambda: issuer.token()[:-20],
    "payload exchanged": lambda: ".".join(
        [issuer.token().split(".")[0], issuer.token(sub="bob").split(".")[1], issuer.token().split(".")[2]]
    ),
    "garbage": lambda: "a.b.c",
    "empty parts": lambda: "..",
    "ten kilobytes": lambda: issuer.token(scope="x" * 10_000),
}


@pytest.fixture
def tricky_keys(keys: issuer.KeyServer) -> issuer.KeyServer:
    """What the issuer publishes: its key, and two that no honest issuer would."""
    keys.keys += [
        issuer.public_jwk(issuer.SMALL, kid="small"),
        {"kty": "oct", "kid": "shared", "alg": "HS256", "k": issuer.b64(issuer.SHARED_SECRET)},
    ]
    return keys


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_refuses_a_token_that_is_not_exactly_right(tricky_keys, attack):
    forged = attack()

    with pytest.raises(InvalidToken) as refusal:
        authenticate(f"Bearer {forged}", ip="127.0.0.1")  # By the front door: it caps the length.

    assert refusal.value.status_code == 401
    assert refusal.value.auth_header == 'Bearer error="invalid_token"'
    assert tricky_keys.fetches <= 1


def test_accepts_what_the_attacks_differ_from(tricky_keys):
    assert access_tokens.verify(issuer.token()) == Claims("alice-7f3", "portal", is_local=False)


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ["portal", issuer.AUDIENCE]},
        {"nbf": NOW},
        {"head": {"typ": "application/AT+JWT"}},
        {"scope": "openid", "roles": ["x"] * 100},
    ],
    ids=["one of several audiences", "nbf now", "long typ", "more claims"],
)
def test_accepts_what_the_standard_allows(keys, changes):
    assert access_tokens.verify(issuer.token(**changes)).subject == "alice-7f3"


def test_allows_for_clocks_that_differ_by_half_a_minute(keys):
    now = int(time.time())

    assert access_tokens.verify(issuer.token(exp=now - 20)).subject == "alice-7f3"
    assert access_tokens.verify(issuer.token(nbf=now + 20, iat=now + 20)).subject == "alice-7f3"


def test_tells_an_expired_token_from_an_invalid_one(keys):
    with pytest.raises(TokenExpired) as refusal:
        access_tokens.verify(issuer.token(iat=NOW - 900, exp=NOW - 300))

    assert refusal.value.get_codes() == "token_expired"
    assert refusal.value.auth_header == 'Bearer error="invalid_token"'


def test_a_forged_token_that_has_expired_is_invalid(keys):
    expired = issuer.token(exp=NOW - 300, sign=partial(issuer.rs256, key=issuer.FOREIGN))

    with pytest.raises(InvalidToken):
        access_tokens.verify(expired)


def test_without_a_configured_issuer_only_local_tokens_are_known(settings):
    settings.OIDC_ISSUER = ""

    with pytest.raises(InvalidToken):
        access_tokens.verify(issuer.token())
    with pytest.raises(InvalidToken):
        access_tokens.verify(issuer.token(iss=""))


def test_a_local_token_is_an_at_jwt_of_fifteen_minutes(settings):
    at = datetime.now(UTC)

    minted = access_tokens.mint(user_id=USER, at=at)

    assert access_tokens.verify(minted) == Claims(str(USER), "urn:ispcore:password", is_local=True)
    assert jwt.get_unverified_header(minted).items() >= {"alg": "EdDSA", "typ": "at+jwt"}.items()
    body = jwt.decode(minted, options={"verify_signature": False})
    assert body["exp"] - body["iat"] == 900
    assert set(body) == {"iss", "aud", "sub", "client_id", "jti", "iat", "exp"}


def test_a_local_token_expires(settings):
    minted = access_tokens.mint(user_id=USER, at=datetime.now(UTC) - timedelta(seconds=931))

    with pytest.raises(TokenExpired):
        access_tokens.verify(minted)


def test_a_token_seen_before_expires_all_the_same(monkeypatch):
    minted = access_tokens.mint(user_id=USER, at=datetime.now(UTC))
    access_tokens.verify(minted)
    end = time.time() + 900 + access_tokens.LEEWAY_SECONDS

    monkeypatch.setattr(time, "time", lambda: end + 1)

    with pytest.raises(TokenExpired):
        access_tokens.verify(minted)


def test_a_token_seen_before_goes_with_its_key(settings):
    settings.SECRET_KEY = "old-" * 10
    minted = access_tokens.mint(user_id=USER, at=datetime.now(UTC))
    access_tokens.verify(minted)

    settings.SECRET_KEY = "new-" * 10

    with pytest.raises(InvalidToken):
        access_tokens.verify(minted)


def test_a_local_token_survives_a_rotation_of_the_secret_key(settings):
    settings.SECRET_KEY = "old-" * 10
    minted = access_tokens.mint(user_id=USER, at=datetime.now(UTC))

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new-" * 10, ["old-" * 10]
    assert access_tokens.verify(minted).subject == str(USER)

    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(InvalidToken):
        access_tokens.verify(minted)


def test_another_installations_local_token_is_refused(settings):
    settings.SECRET_KEY = "theirs-" * 6
    theirs = access_tokens.mint(user_id=USER, at=datetime.now(UTC))

    settings.SECRET_KEY = "ours-" * 8
    with pytest.raises(InvalidToken):
        access_tokens.verify(theirs)


def test_the_issuers_key_cannot_sign_as_the_local_issuer(keys):
    forged = issuer.token(iss="urn:ispcore:local", sub=str(USER))

    with pytest.raises(InvalidToken):
        access_tokens.verify(forged)


def test_a_token_cannot_be_checked_before_the_issuers_keys_were_ever_seen(keys):
    keys.status = 503

    with pytest.raises(ApiError) as refusal:
        access_tokens.verify(issuer.token())

    assert refusal.value.status_code == 503
    assert refusal.value.get_codes() == "dependency_unavailable"
