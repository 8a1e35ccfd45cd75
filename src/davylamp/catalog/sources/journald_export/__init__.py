"""Authentication verdicts of sshd in the journal's JSON export."""
