"""The detection `steady_compute_thin_socket`."""
