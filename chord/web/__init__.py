"""Chord over the network: WebSocket, Server-Sent Events and plain HTTP, as an ASGI app."""
