"""Compare single operations with their floors and peers; one file for each theme."""
