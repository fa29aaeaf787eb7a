"""What `make fuzz-api` does to each request, and which findings are none; schemathesis loads it."""

import json
import os
from typing import Any

import schemathesis
from schemathesis.core.parameters import ParameterLocation

from tests.api.known import LEFT_OUT, SPOILT, Known, aim, arrives_whole, loses_a_part

KNOWN = Known(**json.loads(os.environ["ISP_FUZZ_KNOWN"]))


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Take out headers with rules of their own, and point every second request at what exists."""
    for name in LEFT_OUT:
        case.headers.pop(name, None)
    if hash(case.id) % 2:
        aim(case, KNOWN)


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Drop what is no fault.

    "Was accepted" where what was spoilt never left the fuzzer; 429 to a false credential: only those that are refused
    have that limit for an address, and here all come from one.
    """
    if type(failure).__name__ == "IgnoredAuth" and "got `429 " in failure.message:
        return False
    if type(failure).__name__ != "AcceptedNegativeData":
        return True
    spoilt = {place for place, part in case.meta.components.items() if part.mode.is_negative}
    if spoilt == {ParameterLocation.QUERY}:
        return not arrives_whole(case)
    return bool(spoilt & {*SPOILT, ParameterLocation.QUERY}) and not loses_a_part(case)
