"""JupyterLab: launching it, and its settings."""
