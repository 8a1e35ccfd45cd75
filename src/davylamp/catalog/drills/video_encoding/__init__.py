"""The drill `video_encoding`."""
