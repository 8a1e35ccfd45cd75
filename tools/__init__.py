"""Tools for people who work on Davylamp itself."""
