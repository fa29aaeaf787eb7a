"""What a simulated Huawei SmartAX answers at its command line: its views, its pages, its questions."""

import asyncio
import re
import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from demo.olt.device import ONUS_PER_PORT
from demo.olt.huawei import PORTS_PER_CARD
from demo.olt.onu import SimulatedOnu

if TYPE_CHECKING:
    from demo.olt.huawei_cli import HuaweiCli

ONLINE_AFTER_SECONDS = 0.3
RULE = "  -----------------------------------------------------------------------------"
UNKNOWN = "% Unknown command, the error locates at '^'"
MORE = "---- More ( Press 'Q' to break ) ----"
LOG_OUT = "  Are you sure to log out? (y/n)[n]:"


class Cut(Exception):
    """The connection ends here."""


class Shell:
    """One session: a line in, an answer out."""

    def __init__(self, cli: "HuaweiCli", process: Any) -> None:
        self.cli = cli
        self.device = cli.device
        self._process = process
        self._typed = ""
        self._view = "user"
        self._card = 0
        self._asks_parameters = True
        self._page = 24

    async def run(self) -> None:
        self._write("\r\n  Huawei Integrated Access Software (MA5608T).\r\n\r\n")
        while True:
            self._write(self._prompt())
            line = (await self.read_line()).strip()
            if not line:
                continue
            if line == "quit" and self._view in ("user", "enable"):
                if await self._ask(LOG_OUT):
                    self._write("\r\n  Configuration console exit, please retry to log on\r\n")
                    raise Cut
                continue
            await self._obey(line)

    async def _obey(self, line: str) -> None:
        kind = self.cli.take_fault(line, "cut-before", "reboot")
        if kind == "reboot":
            self.cli.reboot()
        if kind:
            raise Cut
        self.cli.commands.append(line)
        if self._asks_parameters and line.startswith(("display", "service-port", "ont add")):
            await self._ask("{ <cr>||<K> }:", wanted="")
        answer = await self._answer(line)
        kind = self.cli.take_fault(line, "silent", "cut-after")
        if kind == "cut-after":
            raise Cut
        if kind == "silent":
            while await self._process.stdin.read(1024):
                pass
            raise Cut
        await self._show(answer)

    async def _answer(self, line: str) -> str:
        if self._change_view(line):
            return ""
        commands: tuple[tuple[str, Callable[..., Any]], ...] = (
            (r"ont add (\d+)(?: (\d+))? sn-auth (\S+) omci (.+)", self._ont_add),
            (r"ont delete (\d+) (\d+)", self._ont_delete),
            (r"ont reset (\d+) (\d+)", self._ont_reset),
            (r"ont port native-vlan (\d+) (\d+) eth (\d+) vlan (\d+) priority \d", self._native_vlan),
            (
                r"service-port vlan (\d+) gpon (\d+)/(\d+)/(\d+) ont (\d+) gemport (\d+) multi-service "
                r"user-vlan (\d+) tag-transform translate",
                self._service_port,
            ),
            (r"undo service-port port (\d+)/(\d+)/(\d+) ont (\d+)", self._undo_service_port),
            (r"display ont autofind all", self._display_autofind),
            (r"display ont info by-sn (\S+)", self._display_by_serial),
            (r"display service-port port (\d+)/(\d+)/(\d+) ont (\d+)", self._display_service_ports),
        )
        for pattern, answer in commands:
            if found := re.fullmatch(pattern, line):
                said = answer(*found.groups())
                return await said if asyncio.iscoroutine(said) else str(said)
        return UNKNOWN

    def _change_view(self, line: str) -> bool:
        """Obey what changes the session and answers nothing."""
        views = {"enable": "enable", "disable": "user", "config": "config", "return": "enable"}
        if line in views:
            self._view = views[line]
        elif line == "quit":
            self._view = "config" if self._view == "gpon" else "enable"
        elif found := re.fullmatch(r"interface gpon 0/(\d+)", line):
            if self._view != "config" or not 1 <= int(found[1]) <= -(-self.device.ports // PORTS_PER_CARD):
                return False
            self._view, self._card = "gpon", int(found[1])
        elif line == "undo smart":
            self._asks_parameters = bool(self.cli.take_fault("", "ask-parameters"))
        elif found := re.fullmatch(r"scroll(?: (\d+))?", line):
            self._page = 10 if self.cli.take_fault("", "page") else int(found[1] or self._page)
        else:
            return line in ("infoswitch cli OFF", "undo interactive")
        return True

    def _ont_add(self, number: str, onu_id: str | None, serial: str, rest: str) -> str:
        port, words = self._port(number), shlex.split(rest)
        told = dict(zip(words[::2], words[1::2], strict=False))
        line = _profile(told, "ont-lineprofile", self.device.line_profiles)
        service = _profile(told, "ont-srvprofile", self.device.service_profiles)
        if self._view != "gpon" or port is None:
            return UNKNOWN
        if line is None:
            return "  Failure: The line profile does not exist"
        if service is None:
            return "  Failure: The service profile does not exist"
        octets = bytes.fromhex(serial)
        if any(onu.serial == octets for onu in self.device.onus.values()):
            return "  Failure: SN already exists"
        taken = {number for at, number in self.device.onus if at == port}
        free = [number for number in range(ONUS_PER_PORT) if number not in taken]
        wanted = int(onu_id) if onu_id is not None else (free or [-1])[0]
        if wanted not in free:
            return "  Failure: The ONT ID has already existed"
        onu = self.device.add_onu(port, octets, wanted)
        onu.description = told.get("desc", "ONT_NO_DESCRIPTION")
        onu.line_profile, onu.service_profile = line, service
        onu.online, onu.down_cause = False, -1
        self.device.put_onu(onu)
        asyncio.get_running_loop().call_later(ONLINE_AFTER_SECONDS, self._come_online, onu)
        return f"  Number of ONTs that can be added: 1, success: 1\n  PortID :{int(number)}, ONTID :{wanted}"

    def _come_online(self, onu: SimulatedOnu) -> None:
        if self.device.onus.get((onu.port, onu.onu_id)) is onu:
            self.device.set_onu_online(onu.port, onu.onu_id, online=True)

    def _ont_delete(self, number: str, onu_id: str) -> str:
        port, key = self._port(number), int(onu_id)
        if port is None or (port, key) not in self.device.onus:
            return "  Failure: The ONT does not exist"
        if self.device.service_ports_of(port, key):
            return "  Failure: This configured object has some service virtual ports"
        onu = self.device.onus[port, key]
        self.device.remove_onu(port, key)
        self.device.plug_in(port, onu.serial)
        return "  Number of ONTs that can be deleted: 1, success: 1"

    async def _ont_reset(self, number: str, onu_id: str) -> str:
        port, key = self._port(number), int(onu_id)
        if port is None or (port, key) not in self.device.onus:
            return "  Failure: The ONT does not exist"
        if not await self._ask("  Are you sure to reset the ONT(s)? (y/n)[n]:"):
            return ""
        onu = self.device.onus[port, key]
        onu.down_cause = 9
        self.device.put_onu(onu)
        return ""

    def _native_vlan(self, number: str, onu_id: str, ethernet: str, vlan: str) -> str:
        port = self._port(number)
        if port is None or (port, int(onu_id)) not in self.device.onus:
            return "  Failure: The ONT does not exist"
        return ""

    def _service_port(
        self, vlan: str, shelf: str, slot: str, number: str, onu_id: str, gem_port: str, user_vlan: str
    ) -> str:
        port = _port_of(slot, number)
        if self._view != "config":
            return UNKNOWN
        if (port, int(onu_id)) not in self.device.onus:
            return "  Failure: The ONT does not exist"
        for each in self.device.service_ports_of(port, int(onu_id)):
            if (each.gem_port, each.user_vlan) == (int(gem_port), int(user_vlan)):
                return "  Failure: Service virtual port has existed already"
        self.device.join(
            port=port, onu_id=int(onu_id), vlan=int(vlan), gem_port=int(gem_port), user_vlan=int(user_vlan)
        )
        return ""

    async def _undo_service_port(self, shelf: str, slot: str, number: str, onu_id: str) -> str:
        found = self.device.service_ports_of(_port_of(slot, number), int(onu_id))
        if not found:
            return "  Failure: No service virtual port can be operated"
        self._write("  It will take several minutes, and console may be timeout\r\n")
        if not await self._ask("  Are you sure to release service virtual port(s)? (y/n)[n]:"):
            return ""
        for each in found:
            del self.device.service_ports[each.index]
        return f"  The number of total service virtual port which has been released: {len(found)}"

    def _display_autofind(self) -> str:
        if not self.device.waiting:
            return "  Failure: The automatically found ONTs do not exist"
        blocks = []
        for number, unit in enumerate(self.device.waiting.values(), start=1):
            slot, port = divmod(unit.port, PORTS_PER_CARD)
            blocks.append(
                f"   Number              : {number}\n"
                f"   F/S/P               : 0/{slot + 1}/{port}\n"
                f"   Ont SN              : {_shown(unit.serial)}\n"
                "   Password            : 0x00000000000000000000\n"
                "   Loid                :\n"
                "   Checkcode           :\n"
                f"   VendorID            : {unit.serial[:4].decode()}\n"
                "   Ont Version         : 1A2B.A\n"
                f"   Ont SoftwareVersion : {unit.software}\n"
                f"   Ont EquipmentID     : {unit.equipment_id}\n"
                "   Ont autofind time   : 2026-03-01 06:30:00+00:00\n"
                "   Multi channel       : -\n"
            )
        return RULE + "\n" + f"{RULE}\n".join(blocks) + RULE

    def _display_by_serial(self, serial: str) -> str:
        octets = bytes.fromhex(serial)
        onu = next((onu for onu in self.device.onus.values() if onu.serial == octets), None)
        if onu is None:
            return "  The required ONT does not exist"
        slot, port = divmod(onu.port, PORTS_PER_CARD)
        return (
            f"{RULE}\n"
            f"  F/S/P                   : 0/{slot + 1}/{port}\n"
            f"  ONT-ID                  : {onu.onu_id}\n"
            f"  Control flag            : {'active' if onu.active else 'deactivated'}\n"
            f"  Run state               : {'online' if onu.online else 'offline'}\n"
            "  Config state            : normal\n"
            "  Match state             : match\n"
            f"  ONT distance(m)         : {onu.distance_m if onu.online else '-'}\n"
            "  Authentic type          : SN-auth\n"
            f"  SN                      : {_shown(onu.serial)}\n"
            "  Management mode         : OMCI\n"
            f"  Description             : {onu.description}\n"
            f"{RULE}"
        )

    def _display_service_ports(self, shelf: str, slot: str, number: str, onu_id: str) -> str:
        found = self.device.service_ports_of(_port_of(slot, number), int(onu_id))
        if not found:
            return "  Failure: No service virtual port can be operated"
        rows = "\n".join(
            f"  {each.index:>6} {each.vlan:<4} common   gpon 0/{slot} /{number:<2} {each.onu_id:<4} "
            f"{each.gem_port:<5} vlan  {each.user_vlan:<10} -    -    up"
            for each in found
        )
        return (
            f"  Switch-Oriented Flow List\n{RULE}\n"
            "   INDEX VLAN VLAN     PORT F/ S/ P VPI  VCI   FLOW  FLOW       RX   TX   STATE\n"
            "         ID   ATTR     TYPE                    TYPE  PARA\n"
            f"{RULE}\n{rows}\n{RULE}\n   Total : {len(found)}  (Up/Down :    {len(found)}/0)"
        )

    def _port(self, number: str) -> int | None:
        port = (self._card - 1) * PORTS_PER_CARD + int(number)
        return (
            port
            if self._view == "gpon" and int(number) < PORTS_PER_CARD and port < self.device.ports
            else None
        )

    def _prompt(self) -> str:
        ends = {
            "user": ">",
            "enable": "#",
            "config": "(config)#",
            "gpon": f"(config-if-gpon-0/{self._card})#",
        }
        return f"\r\nMA5608T{ends[self._view]}"

    async def _show(self, answer: str) -> None:
        lines = answer.splitlines()
        for start in range(0, len(lines), self._page):
            if start:
                self._write(MORE)
                key = await self._read_key()
                self._write("\x1b[37D" + " " * 37 + "\x1b[37D")
                if key in "qQ":
                    return
            for line in lines[start : start + self._page]:
                self._write(line + "\r\n")

    async def _ask(self, question: str, wanted: str = "y") -> bool:
        self._write(question)
        return (await self.read_line()).strip().lower() == wanted

    def _write(self, text: str) -> None:
        self._process.stdout.write(text)

    async def _read_key(self) -> str:
        while not self._typed:
            chunk = await self._process.stdin.read(1024)
            if not chunk:
                raise Cut
            self._typed = chunk.replace("\x00", "")
        key, self._typed = self._typed[0], self._typed[1:]
        return key

    async def read_line(self, *, is_secret: bool = False) -> str:
        """Read up to the end of a line, and echo it unless it is a secret."""
        line = ""
        while (key := await self._read_key()) not in "\r\n":
            line += key
            self._write("" if is_secret else key)
        self._write("\r\n")
        return line


def _profile(told: dict[str, str], kind: str, known: dict[int, str]) -> str | None:
    if (number := told.get(f"{kind}-id", "")).isdecimal():
        return known.get(int(number))
    name = told.get(f"{kind}-name")
    return name if name in known.values() else None


def _port_of(slot: str, number: str) -> int:
    return (int(slot) - 1) * PORTS_PER_CARD + int(number)


def _shown(serial: bytes) -> str:
    """Write a serial as the device does: 48575443A12BC3DE (HWTC-A12BC3DE)."""
    digits = serial.hex().upper()
    return f"{digits} ({serial[:4].decode()}-{digits[8:]})"
