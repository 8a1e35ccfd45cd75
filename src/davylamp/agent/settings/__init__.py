"""How the host is set up: one file a subject."""
