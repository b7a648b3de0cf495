"""The stores that Chord can keep contexts in, and the contract that they fulfil."""
