"""What a unit's author imports: protocols, metadata, the registry, cases, emulation."""
