"""The commands `chatledger db …` and `chatledger init`."""
