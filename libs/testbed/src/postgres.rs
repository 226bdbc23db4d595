//! PostgreSQL, from Debian's packages.
