"""What the two commands have in common."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser, OutputWrapper


def add_passphrase(parser: CommandParser) -> None:
    parser.add_argument(
        "--passphrase-file",
        type=Path,
        help="a file whose first line is the passphrase that seals the secrets (at least 12 characters)",
    )


def read_passphrase(options: dict[str, Any]) -> str:
    """Return the passphrase, from a file: an argument would show in the list of processes."""
    path: Path | None = options["passphrase_file"]
    if path is None:
        return ""
    try:
        found = path.read_text().partition("\n")[0].strip("\r")
    except OSError as error:
        raise CommandError(f"The passphrase cannot be read: {error}") from error
    if not found:
        raise CommandError(f"{path} holds no passphrase in its first line.")
    return found


def show(out: OutputWrapper, made: dict[str, Any]) -> None:
    """Print what a file or a restored provider holds."""
    tenant = made["tenant"]
    out.write(f"{tenant['name']} ({tenant['slug']}), as of {made['made_at']}")
    for label, figures in sorted(made["tables"].items()):
        if figures["rows"]:
            out.write(f"  {label:<36} {figures['rows']:>10}")
    for name, amounts in made["totals"]["money"].items():
        for key, amount in sorted(amounts.items()):
            out.write(f"  {name + ', ' + key:<36} {amount:>16}")


def show_missing_secrets(out: OutputWrapper, made: dict[str, Any]) -> None:
    secrets = made["secrets"]
    if secrets["are_carried"] or not secrets["count"]:
        return
    out.write("Secrets were left out of the file. What needs one does not work until it is entered anew:")
    for place, entry in sorted(secrets["count"].items()):
        out.write(f"  {place:<36} {entry['rows']:>10}")
