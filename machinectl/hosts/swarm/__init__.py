"""Docker Swarm: managers, nodes, draining and leaving."""
