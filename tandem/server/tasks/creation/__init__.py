"""A task before it is made: from what a client describes to its row and its RunSpec."""
