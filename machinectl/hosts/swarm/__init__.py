"""Docker Swarm: who manages it, which machine is which node, how a node is drained and leaves."""
