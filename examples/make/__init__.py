"""Makes the sample evidence anew: a real guessing run, a real login, our own dialogue, recorded and stretched."""
