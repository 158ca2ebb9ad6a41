"""What each command does. Nothing here is imported before its command is called."""
