"""A fleet's file, and what is to be done so that its machines are as it says. Pure: nothing here changes anything.

The only code that knows YAML.
"""
