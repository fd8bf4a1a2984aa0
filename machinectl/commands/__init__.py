"""The verbs, one per module.

They take and return plain values, and raise MachineError. Timeouts are in seconds. Iterators yield each machine when
its work ends, with the error if it failed; with `planned`, they change nothing. A row has `fields` for JSON and `cells`
for tables.
"""
