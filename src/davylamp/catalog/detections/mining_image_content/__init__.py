"""The detection `mining_image_content`."""
