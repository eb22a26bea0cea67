"""The tunnel in a small internet on this machine: real routers, real WireGuard, a real browser on the phone."""
