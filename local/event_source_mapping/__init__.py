"""Event source mappings from Kinesis data streams to Lambda functions, as Lambda documents them.

The engine works on a small Backend and knows nothing of the emulator behind it:

    EventSourceMappings (engine) keeps one Worker per mapping, shard and lane;
    each fills a batch (filling), delivers it to the end (retries), moves its checkpoint.

`install.serving` runs the engine in the laptop AWS.
"""

from local.event_source_mapping.engine import EventSourceMappings

__all__ = ["EventSourceMappings"]
