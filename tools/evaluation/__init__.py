"""Recorded runs through the daemon's detectors, and what their alarms are worth."""
