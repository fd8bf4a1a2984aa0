"""Files over SFTP, for computers without an scp that speaks it."""
