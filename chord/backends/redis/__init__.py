"""The store on a Redis or Valkey server."""

from chord.backends.redis.backend import EvictionWarning as EvictionWarning
from chord.backends.redis.backend import RedisBackend as RedisBackend
