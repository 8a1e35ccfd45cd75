"""The detection `randomx_memory_shape`."""
