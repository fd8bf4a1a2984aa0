"""docker compose on a machine, with the files of this computer: copies of them lie on its host."""
