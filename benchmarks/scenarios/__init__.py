"""Play the scenarios in every mode on every store, and look afterwards for what was kept."""
