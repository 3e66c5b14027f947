"""What happens around the training step: progress, logging, samples, checkpoints."""
