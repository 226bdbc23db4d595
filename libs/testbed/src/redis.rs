//! Redis, alone, under Sentinel and as a Cluster, from Debian's packages.
