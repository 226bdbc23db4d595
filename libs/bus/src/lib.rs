//! News between the processes of a deployment: Redis Streams, or in this process. Losing all of it loses nothing.
