"""What a run will take, found before it is started."""
