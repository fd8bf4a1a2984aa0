"""Move images between engines: only the layers that a target lacks."""
