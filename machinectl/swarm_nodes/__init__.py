"""Nodes of a Docker Swarm: membership, a manager to ask, draining around a restart."""
