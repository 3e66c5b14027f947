"""How good a run is: metrics, evaluation of a run, its page."""
