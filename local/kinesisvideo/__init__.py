"""Kinesis Video Streams: `service` is what MiniStack routes to, `media.app` the rest.

Control operations: see `control.OPERATIONS`. Media plane: PutMedia, GetMedia,
ListFragments, GetMediaForFragmentList, GetImages, GetClip. Not modelled: request rates,
WebRTC signalling, edge configurations, what a storage tier costs, HLS and DASH.
"""
