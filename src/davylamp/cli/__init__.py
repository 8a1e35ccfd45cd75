"""The command-line door: parses input, calls one use case, renders."""
