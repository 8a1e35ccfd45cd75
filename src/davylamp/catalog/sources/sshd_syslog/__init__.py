"""Authentication verdicts of sshd in syslog files."""
