"""Rooms in stores, kept by one library in each module: only there is that library imported."""
