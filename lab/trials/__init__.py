"""Trainings of many kinds, healthy and failing, to judge detectors with (see README.md)."""
