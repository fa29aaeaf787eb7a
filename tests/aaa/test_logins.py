"""The test log-in: a real Access-Request to a real RADIUS server."""

import pytest

from aaa.radius.logins import Method, Reply, log_in
from aaa.radius.requests import UnsendableError
from tests.aaa.nas_peer import NasPeer


@pytest.mark.parametrize("method", Method)
def test_the_right_password_is_accepted_with_what_the_reply_carries(peer: NasPeer, method: Method) -> None:
    answer = log_in(
        server="127.0.0.1",
        port=peer.auth_port,
        secret=peer.secret.encode(),
        username="amal",
        password="right",
        method=method,
        attributes=(("Calling-Station-Id", "02:00:5E:00:00:01"), ("NAS-Port-Type", "Ethernet")),
    )

    assert answer.reply is Reply.ACCEPT
    assert answer.signed
    assert answer.attributes == (
        ("Mikrotik-Rate-Limit", "10M/50M"),
        ("Framed-IP-Address", "100.64.0.9"),
        ("Class", "0x0a0b"),
        ("Cisco-AVPair", "ip:sub-qos-policy-in=UP"),
        ("Cisco-AVPair", "ip:sub-qos-policy-out=DOWN"),
        # A vendor with attributes of four bytes, then one that we do not know.
        ("Attr-26", "0x000001ad0000006637"),
        ("Vendor-529-Attr-197", "0x00000040"),
    )
    assert answer.milliseconds > 0


@pytest.mark.parametrize("method", Method)
@pytest.mark.parametrize(("username", "password"), [("amal", "wrong"), ("amal", ""), ("nobody", "right")])
def test_anything_else_is_rejected(peer: NasPeer, method: Method, username: str, password: str) -> None:
    answer = log_in(
        server="127.0.0.1",
        port=peer.auth_port,
        secret=peer.secret.encode(),
        username=username,
        password=password,
        method=method,
    )

    assert answer.reply is Reply.REJECT
    assert answer.attributes == (("Reply-Message", "Wrong name or password"),)
    assert not answer.signed


def test_a_server_with_another_secret_does_not_answer(peer: NasPeer) -> None:
    answer = log_in(
        server="127.0.0.1",
        port=peer.auth_port,
        secret=b"another",
        username="amal",
        password="right",
        method=Method.PAP,
        pace=(0.2,),
    )

    assert (answer.reply, answer.attributes) == (Reply.NONE, ())


@pytest.mark.parametrize(("username", "password"), [("x" * 254, "right"), ("amal", "x" * 129)])
def test_what_fits_no_packet_is_said(peer: NasPeer, username: str, password: str) -> None:
    with pytest.raises(UnsendableError):
        log_in(
            server="127.0.0.1",
            port=peer.auth_port,
            secret=peer.secret.encode(),
            username=username,
            password=password,
            method=Method.PAP,
        )
