"""The detection `ssh_guessing_campaign`."""
