"""The commands `chatledger batch …`."""
