"""What `verify` looks at beside shapes: masks, the classes that have examples, whole files."""
