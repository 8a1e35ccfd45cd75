"""The drill `wiped_arguments_tls`."""
