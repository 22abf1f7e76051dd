"""Where the bytes of runs are kept: one contract; a local directory, or PostgreSQL and S3."""
