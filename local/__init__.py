"""An AWS emulator for one laptop: MiniStack, plus Kinesis Video Streams and Rekognition.

The rooms, from the bottom up; each may use those before it:
security; ministack; kinesisvideo, rekognition, event_source_mapping, iot; patches; server."""
