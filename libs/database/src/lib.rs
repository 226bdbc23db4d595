//! Opens the databases of services: SQLite files and PostgreSQL, one set of queries, explicit migrations.
