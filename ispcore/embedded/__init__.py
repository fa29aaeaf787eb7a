"""PostgreSQL and Valkey from wheels, and everything `make run` does around them.

Needs neither root nor a compiler nor a package manager. Import `start_servers` in tests; the command line is
`python -m ispcore.embedded run|start|stop|env|psql`.
"""

from ispcore.embedded.process import EmbeddedError
from ispcore.embedded.roles import prepare_database
from ispcore.embedded.servers import Servers, start_servers

__all__ = ["EmbeddedError", "Servers", "prepare_database", "start_servers"]
