"""The web servers, nginx in front of them, and the hosts of workers: what the Procfile says, on two hosts each."""

import re
from pathlib import Path

from bench.drill.network import Host
from bench.drill.settings import PROJECT, SEARCH_PATH, Installation
from ispcore.embedded.supervisor import parse_procfile

PORT = 8000
NGINX = """\
daemon off;
pid {directory}/nginx.pid;
error_log stderr;
user root;
worker_processes 1;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    upstream web {{
        {servers}
    }}
    server {{
        listen {port};
        location / {{
            proxy_pass http://web;
            proxy_set_header Host $host;
            # A host that is gone says nothing: the next one is asked after a second, and it alone for ten.
            proxy_connect_timeout 1s;
            proxy_read_timeout 15s;
        }}
    }}
}}
"""


def processes(pattern: str) -> dict[str, str]:
    """Return the Procfile's commands that contain the pattern, by name."""
    commands = parse_procfile((PROJECT / "Procfile").read_text())
    return {name: command for name, command in commands.items() if re.search(pattern, command)}


def set_up_web(installation: Installation, host: Host) -> None:
    environment = _environment(installation, host)
    (Path(environment["ISP_DATA_DIR"]) / "static").mkdir()
    for name, command in processes(r"-m granian").items():
        host.add(
            name, ["/bin/sh", "-c", f"exec {command.replace('--workers 2', '--workers 1')}"], environment
        )


def set_up_worker(installation: Installation, host: Host) -> None:
    """Run every queue and a beat."""
    environment = _environment(installation, host)
    for name, command in processes(r"-m celery").items():
        host.add(name, ["/bin/sh", "-c", f"exec {command.replace('%h', host.name)}"], environment)


def set_up_proxy(installation: Installation, host: Host, webs: list[Host]) -> None:
    directory = host.directory / "nginx"
    directory.mkdir()
    servers = "\n        ".join(f"server {web.address}:{PORT} max_fails=1 fail_timeout=10s;" for web in webs)
    configuration = directory / "nginx.conf"
    configuration.write_text(NGINX.format(directory=directory, servers=servers, port=PORT))
    host.add("nginx", ["nginx", "-p", str(directory), "-c", str(configuration)], {"PATH": SEARCH_PATH})


def _environment(installation: Installation, host: Host) -> dict[str, str]:
    own = host.directory / "isp"
    own.mkdir()
    metrics = own / "metrics"
    metrics.mkdir()
    return installation.application_environment(own) | {
        "HOST": host.address, "PORT": str(PORT), "PROMETHEUS_MULTIPROC_DIR": str(metrics),
        "WEBHOOK_NETWORKS": "10.97.0.0/24", "PUBLIC_URL": f"http://{host.address}:{PORT}",
    }  # fmt: skip
