"""What OpenSSH's server says in place of a greeting to whom it turns away for a while.

sshd-session.c, srclimit.c: MaxStartups, and PerSourcePenalties, which is on by default since 9.8.
"""

TURNED_AWAY = ("Not allowed at this time", "Exceeded MaxStartups")
