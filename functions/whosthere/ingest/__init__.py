"""What comes in: Kinesis records, queued S3 events and images, made into frames of faces.

Uses the modules beside this package.
"""
