"""Real data made ready: aligned faces, their parts, parts exchanged by inpainting, sketches turned into photos."""
