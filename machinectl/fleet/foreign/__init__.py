"""Import hosts from Ansible inventories and ssh_config files.

The readers are our own: ansible-core is large, under the GPL, and runs templates; `ssh -G` runs the commands of `Match
exec`. A file from somebody else is only read.
"""
