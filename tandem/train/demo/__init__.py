"""The demonstration: real digits, a small teacher that knows them, a student."""
