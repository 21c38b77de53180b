"""Pages to look at a ledger in a browser: `chatledger serve`. They read, and change nothing."""
