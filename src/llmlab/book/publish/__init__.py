"""Publishing a version: `release` renders it for good, `bundle` makes its evidence an archive."""
