//! Certificates: loaded, replaced while in use, accepted, and made for development.
