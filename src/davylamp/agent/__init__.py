"""The host sensor: standard library only, so that it stays small; it writes records and judges nothing."""
