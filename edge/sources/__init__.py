"""Where video comes from: each source gives samples, and a clock that dates them."""
