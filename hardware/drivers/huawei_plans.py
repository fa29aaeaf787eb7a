"""How a Huawei SmartAX is told to serve an ONU, to drop it and to restart it.

The commands are those that deployed tools type (Ubilling, switcher-core); their order of removal too. The SETs
are HUAWEI-XPON-MIB's and unverified: no deployed tool was found that provisions by SNMP. Answers are read with
ntc-templates' TextFSM templates for huawei_smartax.
"""

import io
import re
from functools import cache
from pathlib import Path
from typing import Any

import ntc_templates
import textfsm

from hardware.drivers.cells import gpon_serial
from hardware.drivers.provisioning import (
    CliStep,
    OnuPlace,
    Preset,
    SnmpStep,
    Step,
    cli_text,
    cli_word,
    serial_octets,
)

REFUSED = r"^\s*(Failure:|% |Error:)|success:\s*0"
# HUAWEI-XPON-MIB, hwGponDeviceOntTable: descriptions are 0 to 64 characters at the command line.
LONGEST_DESCRIPTION = 64

# RowStatus (RFC 2579): createAndGo and destroy. hwGponDeviceOntControlReset: reset.
CREATE_AND_GO, DESTROY, RESET = 4, 6, 1
BY_SERIAL, OMCI = 1, 1

_HEX_SERIAL = re.compile(r"[0-9A-F]{16}")
_NO_ONU = r"^\s*(?:Failure:\s*)?The (?:required )?ONT does not exist"
_NO_SERVICE_PORT = r"^\s*(?:Failure:\s*)?No service virtual port"
_NONE_LISTED = re.compile(f"{_NO_ONU}|{_NO_SERVICE_PORT}", re.IGNORECASE | re.MULTILINE)


def hex_serial(serial: str) -> str:
    """Write a serial as the command line takes any: HWTC9A000FFF is 485754439A000FFF. Raises ValueError."""
    return serial_octets(serial, example="HWTC12345678").hex().upper()


def plain_serial(digits: str) -> str:
    """Undo `hex_serial`: 485754439A000FFF is HWTC9A000FFF. What is no such serial is returned as it is."""
    return gpon_serial(bytes.fromhex(digits)) if _HEX_SERIAL.fullmatch(digits) else digits


def _profile(kind: str, value: str) -> str:
    """Say a profile by its number or its name."""
    what = "id" if value.isdecimal() else "name"
    return f"{kind}-{what} {cli_word(value, longest=32)}"


def _card_and_port(place: OnuPlace) -> tuple[str, str]:
    """Split shelf/slot/port into what `interface gpon` and what `ont add` take. Raises ValueError."""
    parts = place.pon_port.split("/")
    if len(parts) != 3 or not all(part.isdecimal() for part in parts):
        raise ValueError(f"{place.pon_port[:40]!r} is no PON port here: shelf/slot/port, such as 0/1/0")
    return "/".join(parts[:2]), parts[2]


def cli_authorize(place: OnuPlace, preset: Preset) -> tuple[Step, ...]:
    """Add the ONU, put the VLAN on its Ethernet port if the preset names one, and join it to the network."""
    card, port = _card_and_port(place)
    number, serial = place.onu_id, hex_serial(place.serial)
    if not preset.line_profile or not preset.service_profile or preset.vlan is None:
        raise ValueError("a line profile, a service profile and a VLAN are needed")
    add = (
        f"ont add {port} {number} sn-auth {serial} omci {_profile('ont-lineprofile', preset.line_profile)} "
        f"{_profile('ont-srvprofile', preset.service_profile)}"
    )
    if place.description:
        add += f' desc "{cli_text(place.description, longest=LONGEST_DESCRIPTION)}"'
    steps = [
        CliStep(
            f"Add the ONU as number {number} of port {place.pon_port}",
            (f"interface gpon {card}", add, "quit"),
            undo=(f"interface gpon {card}", f"ont delete {port} {number}", "quit"),
            refused_if=REFUSED,
            undone_if=_NO_ONU,
            check=f"display ont info by-sn {serial}",
            done_when={"pon_port": place.pon_port, "onu_id": str(number)},
        )
    ]
    user_vlan = preset.user_vlan or preset.vlan
    if preset.native_vlan_port is not None:
        untag = (
            f"ont port native-vlan {port} {number} eth {preset.native_vlan_port} vlan {user_vlan} priority 0"
        )
        steps.append(
            CliStep(
                f"Give its Ethernet port {preset.native_vlan_port} VLAN {user_vlan} untagged",
                (f"interface gpon {card}", untag, "quit"),
                refused_if=REFUSED,
                done_if=r"repeatedly",
                repeatable=True,
            )
        )
    where = f"{place.pon_port} ont {number}"
    steps.append(
        CliStep(
            f"Join it to VLAN {preset.vlan} through GEM port {preset.gem_port}",
            (
                f"service-port vlan {preset.vlan} gpon {where} gemport {preset.gem_port} "
                f"multi-service user-vlan {user_vlan} tag-transform translate",
            ),
            undo=(f"undo service-port port {where}",),
            refused_if=REFUSED,
            undone_if=_NONE_LISTED.pattern,
            check=f"display service-port port {where}",
            done_when={"vlan": str(preset.vlan), "gem_port": str(preset.gem_port)},
        )
    )
    return tuple(steps)


def cli_unauthorize(place: OnuPlace) -> tuple[Step, ...]:
    """Drop the service ports first: the device keeps an ONU that still has one."""
    card, port = _card_and_port(place)
    where = f"{place.pon_port} ont {place.onu_id}"
    return (
        CliStep(
            "Take it out of its VLANs",
            (f"undo service-port port {where}",),
            refused_if=REFUSED,
            done_if=_NONE_LISTED.pattern,
            check=f"display service-port port {where}",
            gone=True,
        ),
        CliStep(
            f"Delete ONU {place.onu_id} of port {place.pon_port}",
            (f"interface gpon {card}", f"ont delete {port} {place.onu_id}", "quit"),
            refused_if=REFUSED,
            done_if=_NO_ONU,
            check=f"display ont info by-sn {hex_serial(place.serial)}",
            done_when={"pon_port": place.pon_port, "onu_id": str(place.onu_id)},
            gone=True,
        ),
    )


def cli_reboot(place: OnuPlace) -> tuple[Step, ...]:
    card, port = _card_and_port(place)
    return (
        CliStep(
            f"Restart ONU {place.onu_id} of port {place.pon_port}",
            (f"interface gpon {card}", f"ont reset {port} {place.onu_id}", "quit"),
            refused_if=REFUSED,
        ),
    )


def snmp_authorize(place: OnuPlace, preset: Preset, *, config: str, row: str) -> tuple[Step, ...]:
    """Create the row in one PDU (unverified); the VLAN must come with the line profile."""
    if not preset.line_profile or not preset.service_profile:
        raise ValueError("a line profile and a service profile are needed, by name")
    if preset.vlan is not None or preset.native_vlan_port is not None:
        raise ValueError(
            "without a command line no VLAN can be set: leave it out and let the line profile carry it"
        )
    serial = bytes.fromhex(hex_serial(place.serial))
    return (
        SnmpStep(
            f"Add the ONU as number {place.onu_id} of port {place.pon_port}",
            (
                (f"{config}.2.{row}", BY_SERIAL),
                (f"{config}.3.{row}", serial),
                (f"{config}.6.{row}", OMCI),
                (f"{config}.7.{row}", cli_word(preset.line_profile, longest=32).encode()),
                (f"{config}.8.{row}", cli_word(preset.service_profile, longest=32).encode()),
                (f"{config}.9.{row}", (place.description and cli_text(place.description).encode()) or b""),
                (f"{config}.10.{row}", CREATE_AND_GO),
            ),
            undo=((f"{config}.10.{row}", DESTROY),),
            done_when={f"{config}.3.{row}": serial},
        ),
    )


def snmp_unauthorize(place: OnuPlace, *, config: str, row: str) -> tuple[Step, ...]:
    """Destroy the row (unverified); the device refuses while a service port still names it."""
    return (
        SnmpStep(
            f"Delete ONU {place.onu_id} of port {place.pon_port}",
            ((f"{config}.10.{row}", DESTROY),),
            done_when={f"{config}.3.{row}": None},
        ),
    )


def snmp_reboot(place: OnuPlace, *, control: str, row: str) -> tuple[Step, ...]:
    return (
        SnmpStep(f"Restart ONU {place.onu_id} of port {place.pon_port}", ((f"{control}.2.{row}", RESET),)),
    )


def read_answer(command: str, answer: str) -> list[dict[str, str]] | None:
    """Return the rows of `ont add`, `display ont info`, `ont autofind` or `service-port`; see Driver."""
    if _NONE_LISTED.search(answer):
        return []
    reader = next((read for prefix, read in _READERS.items() if command.startswith(prefix)), None)
    if reader is None:
        return None
    try:
        return reader(_body(answer)) or None
    except textfsm.TextFSMError:  # A firmware that words it otherwise.
        return None


def _ont_add(answer: str) -> list[dict[str, str]]:
    rows = _parse("ont_add", answer)
    return [{"port": row["PORT_ID"], "onu_id": row["ONT_ID"]} for row in rows if row["SUCCESS"] == "1"]


def _ont_info(answer: str) -> list[dict[str, str]]:
    return [
        {
            "pon_port": _port(row["FSP"]),
            "onu_id": row["ONT_ID"],
            "serial": plain_serial(row["SERIAL_NUMBER"].split(" ")[0]),
            "run_state": row["RUN_STATE"],
        }
        for row in _parse("display_ont_info_0_1", answer)
        if row["ONT_ID"]
    ]


def _autofind(answer: str) -> list[dict[str, str]]:
    return [
        {
            "pon_port": _port(row["FSP"]),
            "serial": plain_serial(row["SERIAL_NUMBER"].split(" ")[0]),
            "equipment_id": row["ONT_EQUIPMENT_ID"],
            "software": row["ONT_SOFTWARE_VERSION"],
        }
        for row in _parse("display_ont_autofind", answer)
    ]


def _service_ports(answer: str) -> list[dict[str, str]]:
    return [
        {
            "service_port": row["INDEX"],
            "pon_port": _port(row["FSP"]),
            "onu_id": row["ONT_ID"],
            "vlan": row["VLAN_ID"],
            "gem_port": row["GEM_INDEX"],
        }
        for row in _parse("display_service-port_all", answer)
    ]


_READERS = {
    "ont add": _ont_add,
    "display ont info": _ont_info,
    "display ont autofind": _autofind,
    "display service-port": _service_ports,
}


def _body(answer: str) -> str:
    """Drop the echoed command and the prompt, which the templates do not know."""
    lines = answer.splitlines()
    if lines and re.match(r"\s*(ont|display|service-port)\b", lines[0]):
        lines = lines[1:]
    while lines and (not lines[-1].strip() or re.search(r"[>#]\s*$", lines[-1])):
        lines.pop()
    waiting = re.compile(r"\s*(Command is being executed|It will take)", re.IGNORECASE)
    return "\n".join(line for line in lines if not waiting.match(line))


def _port(text: str) -> str:
    """Take the spaces out of 0/ 1/0."""
    return text.replace(" ", "")


def _parse(name: str, answer: str) -> list[dict[str, Any]]:
    table = textfsm.TextFSM(io.StringIO(_template(name)))
    return [dict(zip(table.header, row, strict=True)) for row in table.ParseText(answer + "\n")]


@cache
def _template(name: str) -> str:
    folder = Path(ntc_templates.__file__).parent / "templates"
    return (folder / f"huawei_smartax_{name}.textfsm").read_text(encoding="utf-8")
