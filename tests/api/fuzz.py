"""`make fuzz-api`: schemathesis asks everything the OpenAPI document describes of a real server with data.

It starts PostgreSQL, Valkey and granian of its own on free loopback ports and stops them at the end. What is left out
stands with its reason in schemathesis.toml. Exits with 1 when a check failed.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import requests

from tests.api.installation import PROJECT, install, python
from tests.embedded.scratch import scratch_directory

HERE = Path(__file__).parent
# A run outlives the quarter of an hour that a token is valid for.
MAKE_KNOWN = """
import json
from dataclasses import asdict
from django.conf import settings
from django.utils import timezone
from ispcore.auth import access_tokens
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant, User
from tests.api.known_records import make_known

settings.ACCESS_TOKEN_SECONDS = 24 * 3600
user = User.objects.get()
with tenant_context(Tenant.objects.get().pk):
    known = make_known(staff_id=user.pk)
print(access_tokens.mint(user_id=user.pk, at=timezone.now()))
print(json.dumps(asdict(known)))
"""


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--examples", type=int, default=25, help="random requests per operation (25)")
    options.add_argument("--seed", type=int, help="the same requests as in an earlier run")
    options.add_argument("--only", metavar="REGEX", help="paths to ask")
    chosen = options.parse_args()
    os.environ["RATE_LIMIT_PER_MINUTE"] = "100000000"
    with scratch_directory() as directory, install(directory, workers=2) as server:
        made = python(server.environment, "manage.py", "shell", "--no-imports", "-c", MAKE_KNOWN)
        token, known = made.splitlines()
        # To make it takes seconds, and on a busy machine longer than schemathesis waits.
        document = requests.get(
            f"{server.url}/api/schema", headers={"Accept": "application/json"}, timeout=300
        )
        (directory / "openapi.json").write_bytes(document.content)
        command = [
            str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(HERE / "schemathesis.toml"),
            "run", str(directory / "openapi.json"), "--url", server.url,
            "--max-examples", str(chosen.examples),  # Every check, but for the file's exceptions.
            "--header", f"Authorization: Bearer {token}", "--header", "Accept: application/json",
            "--header", "Prefer: respond-async",  # No worker runs here: what starts a job answers with its task.
        ]  # fmt: skip
        if chosen.seed is not None:
            command += ["--seed", str(chosen.seed)]
        if chosen.only:
            command += ["--include-path-regex", chosen.only]
        environment = os.environ | {"ISP_FUZZ_KNOWN": known, "PYTHONPATH": str(PROJECT)}
        status = subprocess.run(command, cwd=PROJECT, env=environment, check=False).returncode
        faults = [line for line in (directory / "web.log").read_text().splitlines() if "Traceback" in line]
        print(f"The server's log holds {len(faults)} tracebacks.")
        if faults:
            kept = PROJECT / ".run" / "fuzz-api-web.log"
            kept.parent.mkdir(exist_ok=True)
            kept.write_text((directory / "web.log").read_text())
            print(f"It is kept as {kept}.")
    return status


if __name__ == "__main__":
    sys.exit(main())
