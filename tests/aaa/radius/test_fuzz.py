"""Damaged and hostile packets at the server: it lives on, answers others, and stores nothing of them."""

import random
import secrets

from tests.aaa.radius.client import NasClient
from tests.aaa.radius.conftest import Provider

PACKETS = 4000
LONGEST = 4096


def _damaged(dice: random.Random, packet: bytes) -> bytes:
    """Return a packet with something wrong in it: bits, lengths, order, size."""
    data = bytearray(packet)
    match dice.randrange(6):
        case 0:
            for _ in range(dice.randrange(1, 12)):
                data[dice.randrange(len(data))] = dice.randrange(256)
        case 1:
            data = data[: dice.randrange(len(data))]
        case 2:
            data += dice.randbytes(dice.randrange(1, 64))
        case 3:
            data[2:4] = dice.randrange(65536).to_bytes(2, "big")
        case 4 if len(data) > 22:
            # The length of the first attribute, zero among others.
            data[21] = dice.choice((0, 1, 2, 255, dice.randrange(256)))
        case _:
            data = bytearray(dice.randbytes(dice.randrange(1, LONGEST)))
    return bytes(data)


def _signed_nonsense(dice: random.Random, nas: NasClient) -> bytes:
    """Return a packet whose signature is right and whose attributes are not."""
    request = nas.accounting_request("Interim-Update", secrets.token_hex(4), User_Name="jane")
    if dice.random() < 0.5:
        request = nas.access_request(dice.randbytes(dice.randrange(1, 200)))
    for _ in range(dice.randrange(1, 20)):
        number = dice.choice(
            (5, 8, 12, 24, 25, 30, 31, 44, 46, 55, 61, 79, 87, 95, 97, 123, dice.randrange(4, 240))
        )
        if number not in (79, 80):
            request[number] = [dice.randbytes(dice.randrange(1, 250))]
    return bytes(request.RequestPacket())


def test_the_server_survives_four_thousand_bad_packets(provider: Provider) -> None:
    dice = random.Random(20261122)
    provider.account("jane", max_sessions=0)
    nas = provider.nas(require_message_authenticator=False)
    assert nas.log_in("jane", "right") is not None
    nas.seconds = 5

    with nas.socket() as channel:
        for number in range(PACKETS):
            good = nas.accounting_request("Start", "f", User_Name="jane")
            if number % 2:
                good = nas.access_request("jane", "right")
            data = _damaged(dice, good.RequestPacket()) if number % 4 else _signed_nonsense(dice, nas)
            port = nas.acct_port if data[:1] == b"\x04" else nas.auth_port
            channel.sendto(data or b"\0", ("127.0.0.1", port))
            if number % 200 == 199:
                # Nobody else waits for it.
                answer = nas.log_in("jane", "right")
                assert answer is not None
                assert answer.accepted

    process = provider.server.process.process
    assert process is not None
    assert process.poll() is None
    assert provider.rows("SELECT count(*) FROM aaa_account") == [(1,)]
