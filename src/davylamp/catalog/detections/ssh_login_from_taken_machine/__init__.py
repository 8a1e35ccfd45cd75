"""The detection `ssh_login_from_taken_machine`."""
