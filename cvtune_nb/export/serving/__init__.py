"""An exported model as a web service: photos in, JSON out, and a page to drop a photo on (extra `serve`)."""

from cvtune_nb.export.serving.application import application
from cvtune_nb.export.serving.reading import Limits
from cvtune_nb.export.serving.server import serve

__all__ = ["Limits", "application", "serve"]
