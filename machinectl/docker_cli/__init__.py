"""Keep what the docker CLI of this computer needs: contexts, builders, the plugin, an ssh_config."""
