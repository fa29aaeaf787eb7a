"""What can go wrong on the wire, the same for every backend."""


class SnmpError(Exception):
    """Base of everything a transport raises; no backend exception gets past it."""


class SnmpTimeout(SnmpError):
    """Nothing came back in time; an agent drops a wrong community without a word (RFC 1901, section 3)."""

    def __init__(self, host: str, port: int, tries: int) -> None:
        super().__init__(
            f"{host}:{port} did not answer within {tries} {'try' if tries == 1 else 'tries'}: "
            "wrong community, wrong address, or the device is down"
        )
        self.host = host
        self.port = port
        self.tries = tries


class SnmpBadAnswer(SnmpError):
    """The device sent bytes that are not an answer: broken BER, wrong PDU type, no variable."""


class SnmpNonIncreasing(SnmpError):
    """The device answered a walk with an OID that is not after the one asked, which would never end."""


class SnmpRefused(SnmpError):
    """The device answered with an error-status (RFC 3416, section 3); `index` counts from 1, 0 is the PDU."""

    def __init__(self, status: str, index: int, oid: str = "") -> None:
        super().__init__(f"the device refused with {status}" + (f" at {oid}" if oid else ""))
        self.status = status
        self.index = index
        self.oid = oid


# RFC 3416, section 3, PDU error-status, by number.
ERROR_STATUS = (
    "noError",
    "tooBig",
    "noSuchName",
    "badValue",
    "readOnly",
    "genErr",
    "noAccess",
    "wrongType",
    "wrongLength",
    "wrongEncoding",
    "wrongValue",
    "noCreation",
    "inconsistentValue",
    "resourceUnavailable",
    "commitFailed",
    "undoFailed",
    "authorizationError",
    "notWritable",
    "inconsistentName",
)


def status_name(number: int) -> str:
    """Name an error-status, keeping an unknown number readable."""
    return ERROR_STATUS[number] if 0 <= number < len(ERROR_STATUS) else f"error {number}"
