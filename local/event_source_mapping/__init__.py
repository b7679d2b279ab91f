"""Event source mappings from Kinesis data streams to Lambda functions, as Lambda documents them.

The engine works on a small Backend and knows nothing of the emulator behind it:

    EventSourceMappings (engine) runs one Worker per mapping, shard and partition;
    each fills a batch (batch_builder), delivers it (retries) and moves its checkpoint.

`install.event_source_mappings` runs the engine in the laptop AWS.
Uses: ministack and security, in emulator, install and streams only.
"""

from local.event_source_mapping.engine import EventSourceMappings

__all__ = ["EventSourceMappings"]
