//! Where entries and positions go: the store, or in tests something that forgets and fails on demand.

use crate::ingest::Stored;
use crate::store::{Append, Error, Store};

/// Takes entries and positions together.
pub(super) trait Sink: Stored {
    /// Adds entries and moves positions, all or nothing.
    fn append(&self, append: &Append) -> Result<(), Error>;
    /// Makes all that was appended durable now.
    fn commit(&self) -> Result<(), Error>;
    /// The positions as they were appended last.
    fn positions(&self) -> Vec<(Vec<u8>, Vec<u8>)>;
}

impl Sink for Store {
    fn append(&self, append: &Append) -> Result<(), Error> {
        Self::append(self, append)
    }

    fn commit(&self) -> Result<(), Error> {
        Self::commit(self)
    }

    fn positions(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        Self::positions(self)
    }
}
