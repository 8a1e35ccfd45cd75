"""The drill `memory_only_image`."""
