"""Libraries that tell two states apart, one in each module: only there is it imported."""
