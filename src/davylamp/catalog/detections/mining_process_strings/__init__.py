"""The detection `mining_process_strings`."""
