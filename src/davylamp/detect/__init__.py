"""Runs detections over tables; the same fact makes one finding."""
