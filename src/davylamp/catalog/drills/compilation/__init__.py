"""The drill `compilation`."""
