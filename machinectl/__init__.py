"""Make servers Docker hosts, keep their certificates, and point the docker CLI at them."""

__version__ = "0.2.0.dev0"
