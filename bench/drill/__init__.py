"""Hosts in network namespaces of one machine, cut and killed in turn under load."""
