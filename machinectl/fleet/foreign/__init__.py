"""What other programs' files know of hosts, for a fleet's file to be made of it: Ansible's inventories, ssh's config.

The readers are ours. Ansible's own is ansible-core, which is heavy, under the GPL, and runs what stands in an inventory
as a template; ssh's own, `ssh -G`, runs the commands of `Match exec`. A file that somebody sent is only read here.
"""
