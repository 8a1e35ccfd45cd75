"""The detection `name_image_mismatch`."""
