"""Write a fleet file."""
