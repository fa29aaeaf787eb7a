"""What can go wrong at a command line, whichever library carries it."""


class CliError(Exception):
    """Base of everything a session raises; none carries a secret."""


class CliTimeout(CliError):
    """The device did not accept the connection, or its prompt did not come, before the deadline."""


class CliLost(CliError):
    """The connection was cut; whether the last command was carried out is unknown."""


class CliLoginFailed(CliError):
    """The device refused the user or the password."""


class CliHostKeyChanged(CliError):
    """The device shows another SSH host key than before; nothing was sent to it, the password included."""


class CliRefused(CliError):
    """The device does not take what a session needs to begin, or a command its driver planned."""
