"""What comes in: Kinesis records, SQS messages and images, made into frames with faces.

Uses: metrics, session_store and the root modules below them.
"""
