"""Form a Docker Swarm: init, join, leave."""
