"""A small renderer of photo-like pictures: shaded round things on textured ground, seen by a camera.

The camera has depth of field, noise and a tone curve. numpy, scipy and Pillow only.

The same bytes for the same seed on every machine: whatever is computed per pixel in float32 uses only + - * / and
square root, which every processor rounds alike. Anything curved (power, sine, exponential) is computed in float64,
where the last digit differs between processors but is rounded away, or comes from a table made that way.
"""
