"""The detection `image_in_temporary_path`."""
