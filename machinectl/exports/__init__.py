"""Take machines to another computer, and over from docker-machine."""
