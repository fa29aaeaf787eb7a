"""The customers' own pages: for phones first, without scripts, behind a log-in apart from that of staff."""
