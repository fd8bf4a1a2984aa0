"""Copy files over SFTP, for computers without an scp that supports it."""
