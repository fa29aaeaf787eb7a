"""ZTE ZXA10 C300, C320 and C6xx: two trees of tables and two ways to name an interface.

Which tree answers depends on the firmware, and not strictly: the device is asked. Sources of the OIDs:
ZTE-AN-GPON-MIB and what deployed tools read (switcher-core, Ubilling, snmp-olt-zte, ABillS); "recorded" means
seen in a real device's answers, "unverified" that it was not.
"""

from hardware.drivers.zte.driver import ZteC300Driver, ZteC320V2Driver, ZteC600Driver, ZteDriver

__all__ = ["ZteC300Driver", "ZteC320V2Driver", "ZteC600Driver", "ZteDriver"]
