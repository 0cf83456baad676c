"""The method itself: which layers, the arithmetic of attention, the pass through the decoder."""
