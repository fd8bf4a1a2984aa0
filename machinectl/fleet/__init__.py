"""Read, check, write and import fleet files. Only this package imports yaml."""
