"""SFTP, for computers without a suitable scp."""
