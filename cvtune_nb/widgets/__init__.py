"""Parts that panels are made of: controls, a gallery, a photo grid, a box editor. They know no notebook."""
