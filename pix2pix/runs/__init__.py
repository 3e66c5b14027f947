"""Run and sweep directories: configuration, checkpoints, provenance, metrics, samples, jobs."""
