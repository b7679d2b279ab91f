"""Fill batches of a shard, deliver them to the function, and move the checkpoint.

Uses: mapping, model, permissions and signal beside it.
"""
