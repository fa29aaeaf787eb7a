"""A call in the words of curl and of Python, ready to be pasted."""

import json
from typing import Any

from ispcore.developers.examples import BY_FORMAT

BASE = "https://api.isp.example"
FORM = "application/x-www-form-urlencoded"
UPLOAD = "multipart/form-data"
KEY = "4b71d8f2-0b6e-4a52-9d0c-2f7d1c9e5a10"


def headers_of(verb: str, body: Any, media_type: str, *, needs_token: bool) -> dict[str, str]:
    """Return the headers a first call sends."""
    headers = {"Accept": "application/json"}
    if needs_token:
        headers = {"Authorization": "Bearer $TOKEN", **headers, "X-Tenant-ID": "demo"}
    if body is not None and media_type == "application/json":
        headers["Content-Type"] = media_type
    if verb == "POST" and needs_token:
        headers["X-Idempotency-Key"] = KEY
    return headers


def curl(verb: str, path: str, body: Any, media_type: str, *, needs_token: bool) -> str:
    """Write the call for a POSIX shell; the token comes from its environment."""
    lines = [f"curl -X {verb} '{BASE}{path}'"]
    for name, value in headers_of(verb, body, media_type, needs_token=needs_token).items():
        quote = '"' if "$" in value else "'"
        lines.append(f"-H {quote}{name}: {value}{quote}")
    if body is not None:
        lines += _curl_body(body, media_type)
    return " \\\n  ".join(lines)


def python(verb: str, path: str, body: Any, media_type: str, *, needs_token: bool) -> str:
    """Write the call for the `requests` library."""
    headers = headers_of(verb, body, media_type, needs_token=needs_token)
    headers.pop("Content-Type", None)
    shown = "".join(
        f'        "{name}": f"Bearer {{os.environ[\'TOKEN\']}}",\n'
        if name == "Authorization"
        else f'        "{name}": "{value}",\n'
        for name, value in headers.items()
    )
    lines = ["import os\n\n" if needs_token else "", "import requests\n\n"]
    lines.append(
        f'response = requests.{verb.lower()}(\n    "{BASE}{path}",\n    headers={{\n{shown}    }},\n'
    )
    lines += _python_body(body, media_type)
    lines.append("    timeout=30,\n)\nresponse.raise_for_status()\n")
    lines.append("print(response.status_code)" if verb == "DELETE" else "print(response.json())")
    return "".join(lines)


def as_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _curl_body(body: Any, media_type: str) -> list[str]:
    if media_type == UPLOAD:
        return [f"-F '{name}={_part(value)}'" for name, value in body.items()]
    if media_type == FORM:
        return [f"--data-urlencode '{name}={value}'" for name, value in body.items()]
    written = as_json(body).replace("'", "'\\''")
    return [f"-d '{written}'"]


def _python_body(body: Any, media_type: str) -> list[str]:
    if body is None:
        return []
    if media_type == UPLOAD:
        files = {name: value for name, value in body.items() if _is_file(value)}
        data = {name: value for name, value in body.items() if name not in files}
        opened = "".join(f'        "{name}": open("{name}.csv", "rb"),\n' for name in files)
        rest = [f"    data={_indented(data)},\n"] if data else []
        return [f"    files={{\n{opened}    }},\n", *rest]
    word = "data" if media_type == FORM else "json"
    return [f"    {word}={_indented(body)},\n"]


def _indented(value: Any, depth: int = 1) -> str:
    """Write a value as Python does, four spaces a level."""
    inner, outer = "    " * (depth + 1), "    " * depth
    if isinstance(value, dict) and value:
        rows = "".join(
            f"{inner}{json.dumps(name)}: {_indented(part, depth + 1)},\n" for name, part in value.items()
        )
        return f"{{\n{rows}{outer}}}"
    if isinstance(value, list) and value:
        rows = "".join(f"{inner}{_indented(part, depth + 1)},\n" for part in value)
        return f"[\n{rows}{outer}]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _is_file(value: Any) -> bool:
    return isinstance(value, str) and value == BY_FORMAT["binary"]


def _part(value: Any) -> str:
    return "@file.csv" if _is_file(value) else str(value)
