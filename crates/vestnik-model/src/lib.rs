//! Encoders, heads, losses and checkpoints on candle.
