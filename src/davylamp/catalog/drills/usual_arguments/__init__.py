"""The drill `usual_arguments`."""
