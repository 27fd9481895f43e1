"""The laws of a transport, checked on real loopback sockets, and a gallery of bad transports."""
