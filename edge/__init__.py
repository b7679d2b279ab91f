"""The camera's side: reads video, encodes it and sends it to Kinesis Video Streams."""
