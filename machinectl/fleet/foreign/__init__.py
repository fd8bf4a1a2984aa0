"""Import hosts from Ansible inventories and ssh_config files.

We parse them: ansible-core is large, GPL and runs templates; `ssh -G` runs the commands of `Match exec`.
"""
