"""Machines for other programs: docker contexts, ssh_config, Ansible, Prometheus, environment variables."""
