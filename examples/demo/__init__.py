"""A demonstration in the terminal: what clients of a context are sent, and that none is misled."""
