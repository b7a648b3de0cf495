"""Measure Chord against floors and peers, in one run each, so that ratios mean something."""
