"""Run every benchmark, each in a process of its own."""
