"""The detection `kernel_thread_masquerade`."""
