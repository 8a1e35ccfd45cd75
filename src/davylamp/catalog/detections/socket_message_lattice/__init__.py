"""The detection `socket_message_lattice`."""
