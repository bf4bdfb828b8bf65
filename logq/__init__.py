"""logq: the shell client of logstore. It speaks only HTTP and imports nothing of the server."""
