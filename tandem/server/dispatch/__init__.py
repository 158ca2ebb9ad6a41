"""The life of a run: who dispatches, what is placed where, how it is launched and watched."""
