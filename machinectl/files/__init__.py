"""Write files so that they are complete or absent, and private from the first byte."""
