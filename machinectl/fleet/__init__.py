"""Fleet files: read, check, write and import them. Only this package imports yaml, and it changes no machine."""
