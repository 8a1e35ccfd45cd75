"""The drill `peer_chat`."""
