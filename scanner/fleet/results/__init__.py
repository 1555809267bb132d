"""Write what a run has found: reports, merged findings, the overview, metrics."""
