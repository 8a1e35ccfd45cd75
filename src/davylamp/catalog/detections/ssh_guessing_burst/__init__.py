"""The detection `ssh_guessing_burst`."""
