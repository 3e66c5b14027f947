"""The directory of a run and of a sweep: configuration, checkpoints, provenance, samples, jobs."""
