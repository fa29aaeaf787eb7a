"""SNMP over a plain socket, with pysnmp as the codec: every answer is checked, none is fast.

pysnmp's own engine runs on asyncio; a blocking socket is simpler, and safe in one thread per OLT.
"""

import contextlib
import socket
import time
from collections.abc import Sequence
from random import SystemRandom
from typing import Any

from pyasn1.codec.ber import decoder, encoder  # type: ignore[import-untyped]
from pyasn1.error import PyAsn1Error  # type: ignore[import-untyped]
from pyasn1.type import univ  # type: ignore[import-untyped]
from pysnmp.proto.api import v1, v2c
from pysnmp.proto.error import ProtocolError

from hardware.snmp.errors import SnmpBadAnswer, SnmpError, SnmpRefused, SnmpTimeout, status_name
from hardware.snmp.stepping import SteppingTransport
from hardware.snmp.transport import Binding, Target, Value, resolve

_Encoded = list[tuple[tuple[int, ...], Any]]

# What pyasn1 and pysnmp raise on hostile bytes, besides their own errors.
_DECODE_ERRORS = (
    PyAsn1Error,
    ProtocolError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
_LARGEST_DATAGRAM = 65_507
_random = SystemRandom()  # A guessable request id lets a stranger answer for the device.


class PysnmpTransport(SteppingTransport):
    """Read and write through pysnmp's codec, SNMP v1 and v2c."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._module = v1 if target.version == "1" else v2c
        family, address = resolve(target)
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            # Connected, so that the kernel drops datagrams from anybody else.
            self._socket.connect((address, target.port))
        except OSError as error:
            self._socket.close()
            raise SnmpError(f"{target.host}:{target.port} cannot be reached: {error}") from error

    def close(self) -> None:
        self._socket.close()

    def set(self, pairs: Sequence[tuple[str, Value]]) -> None:
        bindings = [(_arcs(oid), self._encode_value(value)) for oid, value in pairs]
        self._exchange(self._module.SetRequestPDU(), bindings, self.target.timeout_seconds)

    def _get_once(self, oids: Sequence[str], timeout_seconds: float) -> list[Binding]:
        asked = list(oids)
        while asked:
            null = self._module.Null("")
            try:
                return self._exchange(
                    self._module.GetRequestPDU(), [(_arcs(oid), null) for oid in asked], timeout_seconds
                )
            except SnmpRefused as refusal:
                # RFC 1157, 4.1.2: version 1 fails the whole GET for one missing name, and says which.
                if refusal.status != "noSuchName" or not 1 <= refusal.index <= len(asked):
                    raise
                del asked[refusal.index - 1]
        return []

    def _next_once(self, oid: str, rows: int, timeout_seconds: float) -> list[Binding]:
        pdu = self._module.GetNextRequestPDU() if rows == 1 else v2c.GetBulkRequestPDU()
        try:
            return self._exchange(pdu, [(_arcs(oid), self._module.Null(""))], timeout_seconds, rows)
        except SnmpRefused as refusal:
            if refusal.status == "noSuchName":  # RFC 1157, 4.1.3: how version 1 says the MIB ends here.
                return [(oid, None)]
            raise

    def _exchange(self, pdu: Any, bindings: _Encoded, timeout_seconds: float, rows: int = 1) -> list[Binding]:
        request_id = _random.getrandbits(31)
        self._send(self._encode(pdu, bindings, request_id, rows))
        deadline = time.monotonic() + timeout_seconds
        while True:
            answer = self._decode(self._receive(deadline), request_id)
            # A late answer to an earlier request is not this answer: keep waiting, but not any longer.
            if answer is not None:
                return answer

    def _encode(self, pdu: Any, bindings: _Encoded, request_id: int, rows: int) -> bytes:
        bulk = isinstance(pdu, v2c.GetBulkRequestPDU)
        fields = v2c.apiBulkPDU if bulk else self._module.apiPDU
        fields.set_defaults(pdu)
        fields.set_request_id(pdu, request_id)
        if bulk:
            fields.set_non_repeaters(pdu, 0)
            fields.set_max_repetitions(pdu, rows)
        fields.set_varbinds(pdu, bindings)
        message = self._module.Message()
        self._module.apiMessage.set_defaults(message)
        self._module.apiMessage.set_community(message, self.target.community.encode())
        self._module.apiMessage.set_pdu(message, pdu)
        return bytes(encoder.encode(message))

    def _send(self, datagram: bytes) -> None:
        try:
            self._socket.send(datagram)
        except ConnectionRefusedError:
            # The kernel reports the refusal of an earlier datagram here, and has not sent this one.
            with contextlib.suppress(OSError):
                self._socket.send(datagram)
        except OSError as error:
            raise SnmpError(f"{self.target.host}:{self.target.port} cannot be reached: {error}") from error

    def _receive(self, deadline: float) -> bytes:
        try:
            self._socket.settimeout(max(deadline - time.monotonic(), 0.000_001))
            return self._socket.recv(_LARGEST_DATAGRAM)
        except (TimeoutError, BlockingIOError, ConnectionRefusedError) as error:
            raise SnmpTimeout(self.target.host, self.target.port, 1) from error
        except OSError as error:
            raise SnmpError(f"{self.target.host}:{self.target.port} cannot be reached: {error}") from error

    def _decode(self, datagram: bytes, request_id: int) -> list[Binding] | None:
        """Read an answer; None when it answers another request."""
        try:
            message, _ = decoder.decode(datagram, asn1Spec=self._module.Message())
            pdu = self._module.apiMessage.get_pdu(message)
            if not pdu.isSameTypeWith(self._module.GetResponsePDU(), matchConstraints=False):
                raise ValueError("not a response PDU")
            if int(self._module.apiPDU.get_request_id(pdu)) != request_id:
                return None
            # By position: pysnmp's own accessor raises for an index the device made up.
            status, index = int(pdu.getComponentByPosition(1)), int(pdu.getComponentByPosition(2))
            pairs = self._module.apiPDU.get_varbinds(pdu)
            answer = [(str(oid), self._decode_value(value)) for oid, value in pairs]
        except _DECODE_ERRORS as error:
            where = f"{self.target.host}:{self.target.port}"
            raise SnmpBadAnswer(f"{where} sent bytes that are not SNMP") from error
        if status:
            at = answer[index - 1][0] if 1 <= index <= len(answer) else ""
            raise SnmpRefused(status_name(status), index, at)
        return answer

    def _encode_value(self, value: Value) -> Any:
        if isinstance(value, bytes):
            return self._module.OctetString(value)
        if isinstance(value, str):
            return self._module.ObjectIdentifier(_arcs(value))
        return self._module.Integer(value)

    def _decode_value(self, value: Any) -> Value | None:
        match value:
            case univ.Null():  # noSuchObject, noSuchInstance and endOfMibView are kinds of it.
                return None
            case v1.IpAddress() | v2c.IpAddress():
                return ".".join(map(str, value.asOctets()))
            case univ.OctetString():
                return bytes(value.asOctets())
            case univ.ObjectIdentifier():
                return str(value)
        return int(value)


def _arcs(oid: str) -> tuple[int, ...]:
    return tuple(map(int, oid.split(".")))
