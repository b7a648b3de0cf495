"""Programs to start from; each runs by itself as ``python -m examples.NAME``."""
