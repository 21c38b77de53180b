"""Pages to look at a ledger in a browser: `chatledger serve`. They change nothing without `--write`."""
