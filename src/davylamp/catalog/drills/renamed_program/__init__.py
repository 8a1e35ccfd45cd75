"""The drill `renamed_program`."""
