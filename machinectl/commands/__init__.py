"""The verbs, one per module.

They take and return plain values, and raise MachineError. Timeouts are in seconds. Iterators yield each machine when
its work ends, with its result or error. With `dry_run`, nothing changes, and the results are HostPlans.
"""
