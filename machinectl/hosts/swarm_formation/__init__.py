"""Begin, join and leave a swarm, and give machines their roles in it."""
