"""The detection `hidden_process`."""
