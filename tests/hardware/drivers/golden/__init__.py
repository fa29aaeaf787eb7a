"""What each driver makes of known rows: worked examples in the shapes real devices send.

A driver plugs in by adding its module here; `test_golden.py` asks for an example of every column.
"""

from hardware.drivers import DRIVERS
from hardware.drivers.base import Driver
from tests.hardware.drivers.golden import bdcom, cdata, fiberhome, huawei, ufiber, vsol, zte
from tests.hardware.drivers.golden.shape import Golden, named

# Every driver that may come to read a device, by vendor and dialect.
VARIANTS: dict[str, Driver] = {
    named(variant): variant for driver in DRIVERS.values() for variant in driver.variants()
}
GOLDEN: dict[str, Golden] = {
    **huawei.GOLDEN,
    **zte.GOLDEN,
    **fiberhome.GOLDEN,
    **ufiber.GOLDEN,
    **vsol.GOLDEN,
    **bdcom.GOLDEN,
    **cdata.GOLDEN,
}

__all__ = ["GOLDEN", "VARIANTS", "Golden", "named"]
