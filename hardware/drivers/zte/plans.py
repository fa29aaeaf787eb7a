"""How a ZTE is told to serve an ONU, to drop it and to restart it.

The commands are those deployed tools type (Ubilling's registration scripts); they begin and end in
configuration mode. Removing an ONU takes its service ports along.
"""

import re
from dataclasses import dataclass

from hardware.drivers.columns import arcs_of
from hardware.drivers.provisioning import CliStep, OnuPlace, Preset, SnmpStep, Step, cli_word, serial_octets

# What refusals begin with: "%Error 20202: ...", "%Code 62310-GPONSRV : ..." (deployed tools); "%Info" is none.
REFUSED = r"^\s*%\s*(Error|Code)\b|^\s*%.*(invalid|incomplete|ambiguous|unknown)"
# How the firmware words these two is unverified.
ALREADY, MISSING = r"already", r"(not|n't) exist|no such|not found"

# RowStatus (RFC 2579): createAndGo and destroy. zxAnGponOnuMgmtRegMode: by serial.
CREATE_AND_GO, DESTROY = 4, 6
BY_SERIAL, REBOOT = 1, 1

_NOT_UNDERSTOOD = re.compile(r"^\s*%.*(invalid|incomplete|ambiguous|unknown)", re.IGNORECASE | re.MULTILINE)
_ONU_NAME = re.compile(r"gpon[-_]onu[-_](\d+/\d+/\d+):(\d+)")


@dataclass(frozen=True, slots=True)
class Naming:
    """How a family names its interfaces."""

    port: str
    onu: str
    # Where service-port belongs: empty for the ONU's own interface.
    vport: str = ""


C300 = Naming(port="gpon-olt_{port}", onu="gpon-onu_{port}:{onu}")
# Recorded by several deployed tools: gpon_olt-1/3/13, gpon_onu-1/3/13:8, vport-1/3/13.8:1.
C600 = Naming(port="gpon_olt-{port}", onu="gpon_onu-{port}:{onu}", vport="vport-{port}.{onu}:{vport}")


def authorize(naming: Naming, place: OnuPlace, preset: Preset) -> tuple[Step, ...]:
    """Add the ONU, give it bandwidth and a VLAN, and tell the ONU its VLAN."""
    if not preset.onu_type or not preset.tcont_profile or preset.vlan is None:
        raise ValueError("an ONU type, a T-CONT profile and a VLAN are needed")
    _check(place)
    serial = _serial(place)
    onu_type, tcont = cli_word(preset.onu_type), cli_word(preset.tcont_profile)
    vlan, user_vlan, gem = preset.vlan, preset.user_vlan or preset.vlan, preset.gem_port
    port, onu = _port(naming, place), _onu(naming, place)

    bandwidth = [f"interface {onu}"]
    if place.description:
        # Not in quotes: whether a name may hold spaces depends on the firmware.
        bandwidth.append(f"name {cli_word(place.description.replace(' ', '_'))}")
    bandwidth += [f"tcont 1 profile {tcont}", f"gemport {gem} name gem{gem} tcont 1"]
    if preset.line_profile and preset.service_profile:
        up, down = cli_word(preset.line_profile), cli_word(preset.service_profile)
        bandwidth.append(f"gemport {gem} traffic-limit upstream {up} downstream {down}")
    if naming.vport:
        vport = naming.vport.format(port=place.pon_port, onu=place.onu_id, vport=gem)
        join = [f"interface {vport}", f"service-port 1 user-vlan {user_vlan} vlan {vlan}", "exit"]
    else:
        bandwidth.append(f"switchport mode hybrid vport {gem}")
        service = f"service-port 1 vport {gem} user-vlan {user_vlan} vlan {vlan}"
        join = [f"interface {onu}", service, "exit"]
    manage = [f"pon-onu-mng {onu}", f"service 1 gemport {gem} vlan {user_vlan}"]
    if preset.native_vlan_port is not None:
        manage.append(f"vlan port eth_0/{preset.native_vlan_port} mode tag vlan {user_vlan}")
    return (
        CliStep(
            f"Add the ONU as number {place.onu_id} of port {place.pon_port}",
            (f"interface {port}", f"onu {place.onu_id} type {onu_type} sn {serial}", "exit"),
            undo=(f"interface {port}", f"no onu {place.onu_id}", "exit"),
            refused_if=REFUSED,
            undone_if=MISSING,
            check=_find(serial),
            done_when=_here(place),
        ),
        CliStep(
            f"Give it the bandwidth of T-CONT profile {tcont}",
            (*bandwidth, "exit"),
            refused_if=REFUSED,
            done_if=ALREADY,
            repeatable=True,
        ),
        CliStep(
            f"Join it to VLAN {vlan} through GEM port {gem}",
            tuple(join),
            refused_if=REFUSED,
            done_if=ALREADY,
            repeatable=True,
        ),
        CliStep(
            f"Tell the ONU its VLAN {user_vlan}",
            (*manage, "exit"),
            refused_if=REFUSED,
            done_if=ALREADY,
            repeatable=True,
        ),
    )


def unauthorize(naming: Naming, place: OnuPlace) -> tuple[Step, ...]:
    _check(place)
    return (
        CliStep(
            f"Delete ONU {place.onu_id} of port {place.pon_port}",
            (f"interface {_port(naming, place)}", f"no onu {place.onu_id}", "exit"),
            refused_if=REFUSED,
            done_if=MISSING,
            check=_find(_serial(place)),
            done_when=_here(place),
            gone=True,
        ),
    )


def snmp_authorize(place: OnuPlace, preset: Preset, *, config: str, row: str) -> tuple[Step, ...]:
    """Create the row, then say whose it is.

    Creating and naming was tried on a live C320; type, mode and serial are read-write in the MIB and unverified.
    """
    if not preset.onu_type:
        raise ValueError("an ONU type is needed")
    if preset.vlan is not None or preset.tcont_profile or preset.native_vlan_port is not None:
        raise ValueError("without a command line neither VLAN nor T-CONT can be set here: leave them out")
    serial = _octets(place)
    identity = (
        (f"{config}.1.{row}", cli_word(preset.onu_type).encode()),
        (f"{config}.12.{row}", BY_SERIAL),
        (f"{config}.5.{row}", serial),
    )
    name = cli_word(place.description.replace(" ", "_")).encode() if place.description else b""
    return (
        SnmpStep(
            f"Add an ONU as number {place.onu_id} of port {place.pon_port}",
            ((f"{config}.9.{row}", CREATE_AND_GO),),
            undo=((f"{config}.9.{row}", DESTROY),),
            done_when={f"{config}.9.{row}": 1},  # active
        ),
        SnmpStep(
            f"Give it the serial {place.serial}",
            identity + (((f"{config}.2.{row}", name),) if name else ()),
            done_when={f"{config}.5.{row}": serial},
        ),
    )


def snmp_unauthorize(place: OnuPlace, *, config: str, row: str) -> tuple[Step, ...]:
    """Destroy the row, which was tried on a live C320: it is gone at once."""
    return (
        SnmpStep(
            f"Delete ONU {place.onu_id} of port {place.pon_port}",
            ((f"{config}.9.{row}", DESTROY),),
            done_when={f"{config}.5.{row}": None},
        ),
    )


def snmp_reboot(place: OnuPlace, *, reboot: str, row: str) -> tuple[Step, ...]:
    """Restart by SET, as deployed tools do (ABillS)."""
    return (SnmpStep(f"Restart ONU {place.onu_id} of port {place.pon_port}", ((f"{reboot}.{row}", REBOOT),)),)


def read_answer(command: str, answer: str) -> list[dict[str, str]] | None:
    """Return where `show gpon onu by sn` found the ONU; no row when it found none."""
    if not command.startswith("show gpon onu by sn "):
        return None
    serial = command.rpartition(" ")[2]
    rows = [
        {"pon_port": port, "onu_id": onu_id, "serial": serial} for port, onu_id in _ONU_NAME.findall(answer)
    ]
    return rows if rows or not _NOT_UNDERSTOOD.search(answer) else None


def _find(serial: str) -> str:
    return f"show gpon onu by sn {serial}"


def _here(place: OnuPlace) -> dict[str, str]:
    return {"pon_port": place.pon_port, "onu_id": str(place.onu_id)}


def _port(naming: Naming, place: OnuPlace) -> str:
    return naming.port.format(port=place.pon_port)


def _onu(naming: Naming, place: OnuPlace) -> str:
    return naming.onu.format(port=place.pon_port, onu=place.onu_id)


def _check(place: OnuPlace) -> None:
    if arcs_of(place.pon_port.replace("/", "."), 3) is None or "." in place.pon_port:
        raise ValueError(f"{place.pon_port[:40]!r} is no PON port here: shelf/slot/port, such as 1/2/1")


def _serial(place: OnuPlace) -> str:
    _octets(place)  # Refuses what is none.
    return place.serial


def _octets(place: OnuPlace) -> bytes:
    return serial_octets(place.serial, example="ZTEGC1234567")
