"""Immutable values: what crosses a wall between rooms is made of these and nothing else."""
