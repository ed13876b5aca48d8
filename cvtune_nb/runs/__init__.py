"""The engine of training, whatever the task."""
