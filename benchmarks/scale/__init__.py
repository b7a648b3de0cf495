"""Follow how costs grow; one file for each thing that they grow with."""
