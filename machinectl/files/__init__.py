"""Write complete files, private from the first byte."""
