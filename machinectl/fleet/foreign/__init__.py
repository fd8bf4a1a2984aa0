"""Import Ansible inventories and ssh_config files.

With our own parsers: ansible-core is large, GPL and runs templates; `ssh -G` runs commands.
"""
