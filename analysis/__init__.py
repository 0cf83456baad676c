"""KV-Embedding Explorer's library: frozen decoders as text embedders, measured."""

__version__ = "0.1.0"
