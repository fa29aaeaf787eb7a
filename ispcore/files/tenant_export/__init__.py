"""All data of one provider in one file, and back from that file into an empty installation (docs/adr/0018)."""
