"""The state of machines: what drivers, engines and SSH ports say, asked of many machines at once."""
