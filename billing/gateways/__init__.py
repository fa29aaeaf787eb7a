"""Payment gateways behind one interface: one file for each, no database."""
