"""Give others access to an engine: requests, answers, and files for their tools."""
