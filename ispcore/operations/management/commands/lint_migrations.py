from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ispcore.operations import migration_lint


class Command(BaseCommand):
    help = "Refuse migrations that lock a big table for long or break the release that still runs."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            findings = migration_lint.lint_project()
        except migration_lint.LinterMissing as error:
            raise CommandError(str(error)) from error
        for finding in findings:
            what = " ".join(finding.what.split())
            self.stderr.write(
                f"{finding.migration}: {finding.rule}\n    {what[:160]}\n    {finding.instead}."
            )
        if findings:
            raise CommandError(
                f"{len(findings)} findings. Where one is meant, say why on the migration: "
                'lint_allows = {"rule": "the reason"}.'
            )
        self.stdout.write("Migrations after the baseline lock no table for long.")
