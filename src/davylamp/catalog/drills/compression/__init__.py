"""The drill `compression`."""
