"""The drill `ssh_guessing_then_mining`."""
