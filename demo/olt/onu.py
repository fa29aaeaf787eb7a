"""The subscribers' ends of a simulated OLT: believable, and the same for the same seed."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

# Share of ONUs by signal class; ONU Rx in dBm is drawn from the range behind it.
_SIGNALS = ((0.86, (-24.0, -14.0)), (0.09, (-26.9, -25.1)), (0.04, (-30.0, -27.1)), (0.01, (-7.9, -5.0)))
_ONLINE_SHARE = 0.92
_STREETS = ("Acacia", "Birch", "Cedar", "Elm", "Harbour", "Mill", "Orchard", "Station", "Willow")
# HUAWEI-XPON-MIB last down cause: LOS, LOFi, dying gasp, deactivated, reset.
_DOWN_CAUSES = (1, 1, 1, 3, 13, 13, 13, 9)


@dataclass(slots=True)
class SimulatedOnu:
    """One ONU; powers in dBm, distance in metres, bytes since it came up."""

    port: int
    onu_id: int
    serial: bytes  # 4 letters and 4 octets; of an EPON ONU the 6 octets of its address.
    description: str
    online: bool
    active: bool
    down_cause: int
    distance_m: int
    rx_dbm: float
    tx_dbm: float
    olt_rx_dbm: float
    temperature_c: int
    millivolts: int
    bias_ma: int
    up_bytes: int
    down_bytes: int
    line_profile: str = "line-profile_100M"
    service_profile: str = "srv-profile_bridge"

    @property
    def serial_text(self) -> str:
        if len(self.serial) == 6:
            return self.serial.hex().upper()
        return self.serial[:4].decode() + self.serial[4:].hex().upper()


def generate_onus(*, count: int, ports: int, seed: int, vendor: bytes) -> Iterator[SimulatedOnu]:
    """Yield `count` ONUs spread evenly over `ports` PON ports."""
    chance = random.Random(seed)
    for number in range(count):
        yield generate_onu(
            chance,
            port=number % ports,
            onu_id=number // ports,
            serial=vendor + (chance.getrandbits(20) << 12 | number % 4096).to_bytes(4, "big"),
        )


def generate_onu(chance: random.Random, *, port: int, onu_id: int, serial: bytes) -> SimulatedOnu:
    online = chance.random() < _ONLINE_SHARE
    draw, low, high = chance.random(), -24.0, -14.0
    for share, bounds in _SIGNALS:
        low, high = bounds
        if draw < share:
            break
        draw -= share
    rx = chance.uniform(low, high)
    down = chance.randrange(10**9, 10**13)
    return SimulatedOnu(
        port=port,
        onu_id=onu_id,
        serial=serial,
        description=f"{chance.choice(_STREETS)} St {chance.randrange(1, 240)}",
        online=online,
        active=True,
        down_cause=chance.choice(_DOWN_CAUSES) if not online or chance.random() < 0.4 else -1,
        distance_m=chance.randrange(120, 19_000),
        rx_dbm=rx,
        tx_dbm=chance.uniform(1.5, 3.2),
        olt_rx_dbm=rx - chance.uniform(0.5, 3.0),
        temperature_c=chance.randrange(28, 58),
        millivolts=chance.randrange(3200, 3360, 20),
        bias_ma=chance.randrange(8, 22),
        up_bytes=down // chance.randrange(5, 15),
        down_bytes=down,
    )
