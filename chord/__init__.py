"""Chord: contexts of state, each change numbered, and what a client that is behind lacks."""
