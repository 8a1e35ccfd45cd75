"""The detection `deleted_or_memory_image`."""
