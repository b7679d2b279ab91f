"""An AWS small enough for a laptop: MiniStack, with two video services beside it."""
