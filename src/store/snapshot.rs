//! What a query reads: everything that was there at one moment, each entry once, whatever is
//! appended, sealed or removed meanwhile.

use std::sync::Arc;

use super::{StreamId, chunk::BlockInfo, disk::Disk, error::Error, head::Run};
use crate::labels::{Entries, LabelSet, Literal};

/// Streams and what they held at one moment.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// By label set.
    pub streams: Vec<StreamSnapshot>,
}

/// The part of one stream.
#[derive(Debug)]
pub struct StreamSnapshot {
    /// Which stream.
    pub id: StreamId,
    /// Its labels.
    pub labels: Arc<LabelSet>,
    /// Its entries, in order of arrival; pieces may overlap in time.
    pub pieces: Vec<Piece>,
}

/// The columns of a piece to be read; the time stamps always are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns {
    /// The structured metadata.
    pub metadata: bool,
    /// The lines.
    pub lines: bool,
}

impl Columns {
    /// Every column.
    pub const ALL: Self = Self { metadata: true, lines: true };
}

/// A run of entries with consecutive numbers, in memory or in a block on disk.
#[derive(Clone, Debug)]
pub struct Piece(Place);

#[derive(Clone, Debug)]
enum Place {
    Head(Run),
    Block(BlockInfo, Arc<dyn Disk>),
}

impl Piece {
    pub(super) fn head(run: &Run) -> Self {
        Self(Place::Head(run.clone()))
    }

    pub(super) fn block(block: &BlockInfo, disk: &Arc<dyn Disk>) -> Self {
        Self(Place::Block(block.clone(), Arc::clone(disk)))
    }

    /// Number of the piece's first entry within its stream, in order of arrival.
    pub fn first_entry(&self) -> u64 {
        match &self.0 {
            Place::Head(run) => run.first_entry,
            Place::Block(block, _) => block.first_entry,
        }
    }

    /// How many entries it holds.
    pub fn lines(&self) -> usize {
        match &self.0 {
            Place::Head(run) => run.entries.len(),
            Place::Block(block, _) => block.lines as usize,
        }
    }

    /// Smallest and greatest time stamp in nanoseconds, both inclusive.
    pub fn time_span_ns(&self) -> (i64, i64) {
        match &self.0 {
            Place::Head(run) => (run.min_ns, run.max_ns),
            Place::Block(block, _) => (block.min_ns, block.max_ns),
        }
    }

    /// Bytes of the lines, a newline for each included.
    pub fn raw_bytes(&self) -> u64 {
        match &self.0 {
            Place::Head(run) => run.entries.text().len() as u64,
            Place::Block(block, _) => block.text_bytes.into(),
        }
    }

    /// The entries: of a head as they are, in order of arrival; of a block read, verified and
    /// inflated, in order of time and, for equal times, of arrival. Empty if retention removed the
    /// block after the snapshot was taken.
    pub fn read(&self) -> Result<Arc<Entries>, Error> {
        Ok(self.read_where(Columns::ALL, &[])?.unwrap_or_default())
    }

    /// As [`Piece::read`], but of a block only these columns are read, verified and inflated: lines
    /// that are not wanted come back empty, metadata as if there were none. `None` if it is certain
    /// that no line fulfils `required`, of which every element is fulfilled by any of its literals; a
    /// block is then not read, or only a part of it. Who wants no lines requires nothing.
    pub fn read_where(&self, columns: Columns, required: &[Vec<Literal>]) -> Result<Option<Arc<Entries>>, Error> {
        match &self.0 {
            Place::Head(run) => Ok(Some(Arc::clone(&run.entries))),
            Place::Block(block, disk) => Ok(block.read_where(&**disk, columns, required)?.map(Arc::new)),
        }
    }
}
