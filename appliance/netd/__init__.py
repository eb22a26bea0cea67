"""The process that holds the tunnel: WireGuard interface and firewall, asked over one local socket."""
