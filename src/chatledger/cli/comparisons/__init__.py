"""The commands `chatledger compare …`."""
