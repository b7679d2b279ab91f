"""Faces of the pictures that were analyzed last, because clients ask for one picture several times.

They are in memory only, of few pictures, and without their vectors.
"""

import hashlib
import threading
from collections import OrderedDict
from typing import Any

MOST_PICTURES = 16

Faces = list[dict[str, Any]]


class RecentFaces:
    """The detected and measured faces of a few pictures, by the SHA-256 of a picture's bytes."""

    def __init__(self) -> None:
        """Begin without a picture."""
        self._lock = threading.Lock()
        self._faces: OrderedDict[bytes, Faces] = OrderedDict()

    def get(self, data: bytes) -> Faces | None:
        """Return the faces of a picture without vectors; None if it is not among the last ones."""
        digest = hashlib.sha256(data).digest()
        with self._lock:
            if digest in self._faces:
                self._faces.move_to_end(digest)
            return self._faces.get(digest)

    def keep(self, data: bytes, faces: Faces) -> None:
        """Keep the faces of a picture, and drop those of the picture used longest ago."""
        without = [
            {name: value for name, value in face.items() if name != "vector"} for face in faces
        ]
        with self._lock:
            self._faces[hashlib.sha256(data).digest()] = without
            while len(self._faces) > MOST_PICTURES:
                self._faces.popitem(last=False)
