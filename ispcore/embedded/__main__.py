"""The command line of the embedded servers: run, radius, start, stop, env, psql, manage."""

import argparse
import shlex
import subprocess
import sys

from ispcore.embedded.freeradius import run_radius
from ispcore.embedded.home import open_home
from ispcore.embedded.manage import manage
from ispcore.embedded.process import EmbeddedError
from ispcore.embedded.runner import data_directory, read_settings, run
from ispcore.embedded.servers import halt, hold, launch

BUSY = "`make run` uses these servers; stop it with Ctrl-C where it was started."


def main(arguments: list[str]) -> int:
    """Run one command and return the exit status; expected failures are one message without a traceback."""
    parser = argparse.ArgumentParser(prog="python -m ispcore.embedded", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="start everything: servers, migrations, demo, web, workers, devices")
    commands.add_parser("radius", help="run FreeRADIUS beside it, where it is installed")
    commands.add_parser("start", help="start only PostgreSQL and Valkey, in the background")
    commands.add_parser("stop", help="stop the servers that run on ISP_DATA_DIR")
    commands.add_parser("env", help="print the environment of a runtime process, for `eval` in a shell")
    psql = commands.add_parser("psql", help="open psql on the embedded database")
    psql.add_argument("--role", default="app", choices=["app", "owner", "platform", "radius", "admin"])
    psql.add_argument("arguments", nargs="*", help="arguments for psql, after --")
    command = commands.add_parser(
        "manage", help="run manage.py with the owner's URL, also while `make run` runs"
    )
    command.add_argument("--alone", action="store_true", help="refuse while `make run` runs, and hold it off")
    command.add_argument("arguments", nargs=argparse.REMAINDER, help="what manage.py gets")
    chosen = parser.parse_args(arguments)
    try:
        return _execute(chosen)
    except EmbeddedError as error:
        print(f"\n{error}", file=sys.stderr)
    except OSError as error:
        print(f"\n{error}. See docs/runbooks/local-servers.md.", file=sys.stderr)
    return 1


def _execute(chosen: argparse.Namespace) -> int:
    if chosen.command == "run":
        return run()
    if chosen.command == "radius":
        return run_radius()
    if chosen.command == "manage":
        return manage(chosen.arguments, alone=chosen.alone)
    data_dir = data_directory(read_settings())
    if chosen.command == "stop":
        with hold(open_home(data_dir).data_dir / "run.lock", wait=False, refusal=BUSY):
            print("Stopped: " + (", ".join(halt(data_dir)) or "nothing was running"))
        return 0
    servers = launch(data_dir)
    if chosen.command == "psql":
        url = str(getattr(servers, f"{chosen.role}_url"))
        psql = servers.home.postgres_bin / "psql"
        return subprocess.run([str(psql), url, *chosen.arguments], check=False).returncode
    if chosen.command == "env":
        for name, value in {**servers.environment(), "DATABASE_OWNER_URL": servers.owner_url}.items():
            print(f"export {name}={shlex.quote(value)}")
        return 0
    print(
        f"PostgreSQL and Valkey run on {servers.home.data_dir}; `python -m ispcore.embedded env` shows how."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
