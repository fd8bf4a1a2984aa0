"""What is kept of machines here: their records, their files, and how neither is ever half written."""
