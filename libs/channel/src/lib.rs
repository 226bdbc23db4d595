//! How one service calls another: over several endpoints, with deadlines, and again only where that is safe.
