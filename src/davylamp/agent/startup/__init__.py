"""What starts by itself or lets somebody in again: one file a way of doing so."""
