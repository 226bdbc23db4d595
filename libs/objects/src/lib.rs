//! Files that never change under a name: tiles and documents, on disk or S3.
