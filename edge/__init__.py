"""The camera's side: captures video, encodes it and sends it to Kinesis Video Streams."""
