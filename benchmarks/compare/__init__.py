"""Compare the results of two runs with each other."""
