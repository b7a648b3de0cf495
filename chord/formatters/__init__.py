"""Formatters: a delta in the words of another format."""
