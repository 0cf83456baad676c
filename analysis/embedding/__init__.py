"""From texts to vectors: prompts, methods, pooling, batches, the encoder and its cache."""
