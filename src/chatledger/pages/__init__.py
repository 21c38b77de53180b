"""Pages for people who would rather look: one self-contained file, without scripts and without the network."""
