import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ispcore.operations import checks


class Command(BaseCommand):
    help = "Say what is wrong with this installation, and what to do; exit code 1 when something is an error."
    requires_system_checks: list[str] = []  # They are among what is reported.

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON document, for a program to read")

    def handle(self, *args: Any, **options: Any) -> None:
        found = []
        for name, finding in checks.run():
            found.append((name, finding))
            if not options["json"]:
                self.stdout.write(f"{f'[{finding.level}]':10}{name}: {finding.what}")
                if finding.do:
                    self.stdout.write(f"{'':10}{finding.do}")
        bad = any(finding.level == checks.Level.ERROR for _, finding in found)
        if options["json"]:
            rows = [{"check": name, "level": f.level, "what": f.what, "do": f.do} for name, f in found]
            self.stdout.write(json.dumps({"ok": not bad, "findings": rows}, indent=2))
        if bad:
            raise SystemExit(1)
