"""What verbs share: login, driver and engine options, the layout of --help, and how a function becomes a verb."""
