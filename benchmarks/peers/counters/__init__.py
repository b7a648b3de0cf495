"""Actors that count, one library's in each module: only there is that library imported."""
