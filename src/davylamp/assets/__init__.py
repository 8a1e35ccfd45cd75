"""Which evidence speaks of the same machine: identities joined on stated grounds, never on a hint."""
