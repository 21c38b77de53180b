"""The command `chatledger demo`."""
