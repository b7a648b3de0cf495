"""The subcommand ``report``: a page and pictures of what benchmarks came to."""
