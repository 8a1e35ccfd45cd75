"""Dialogues of miners and of their benign twins as data: seeded, pure, no algorithm of any coin."""
