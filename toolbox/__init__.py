"""What decides something in the tasks: plain functions, each tested without Docker."""
