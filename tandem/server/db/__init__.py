"""The data base: engine, sessions, tables, and how an older schema becomes this one."""
