"""Frozen decoders: where they come from, how they load, what they can do."""
