//! Fine-tuning and pretraining: trainer, optimizer, schedule, checkpoints, evaluation.
