"""Kinesis Video Streams: `api.service` is the control plane, `media.app` the media plane.

Control operations: see `api.control.OPERATIONS`. Media plane: PutMedia, GetMedia,
ListFragments, GetMediaForFragmentList, GetImages, GetClip, HLS. Not modelled: request rates,
WebRTC signalling, edge configurations, what a storage tier costs, DASH.
Uses: ministack, security, shapes.
"""
