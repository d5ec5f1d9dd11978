//! Inference: engines, pipelines, batching.
