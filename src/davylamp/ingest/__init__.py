"""Runs sources: recognise, read, normalise, reject; gives one ordered Parquet file per file and class."""
