"""Measure a door under load: thousands of sockets on one server, told by a process beside it."""
