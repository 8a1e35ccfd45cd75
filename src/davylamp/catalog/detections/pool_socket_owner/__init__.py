"""The detection `pool_socket_owner`."""
