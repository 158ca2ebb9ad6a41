"""The service: tasks, queue and life cycle over REST. No torch here, ever."""
