"""The commands `chatledger workflow …`."""
