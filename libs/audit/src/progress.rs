//! How far an audit is.

/// Is told how far an audit is. `()` is told and says nothing.
pub trait Progress {
    /// A part begins: `chain`, or `study`.
    fn begin(&self, part: &'static str);

    /// So many more entries or blocks are to be read.
    fn more(&self, entries: u64);

    /// The journal of this service is read now.
    fn reading(&self, service: &'static str);

    /// So many were read.
    fn done(&self, entries: u64);

    /// The part has ended.
    fn end(&self);
}

impl Progress for () {
    fn begin(&self, _: &'static str) {}

    fn more(&self, _: u64) {}

    fn reading(&self, _: &'static str) {}

    fn done(&self, _: u64) {}

    fn end(&self) {}
}
