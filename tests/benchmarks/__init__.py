"""Measurements of speed, as ratios: both sides of every ratio run in the same process, one after the other."""
