"""The verbs, one per module.

They take and return plain values, and raise MachineError. Timeouts are in seconds. Iterators yield each machine when
its work ends, with its error or None. With `planned`, nothing changes.
"""
