"""The detection `ssh_login_after_guessing`."""
