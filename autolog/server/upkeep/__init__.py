"""What a server does for its data by itself or when asked: publication, retention, quotas, backups, checks."""
