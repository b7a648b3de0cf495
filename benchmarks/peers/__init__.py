"""Compare Chord with other libraries on the same work, each called as its documentation says."""
