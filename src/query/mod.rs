//! Where the language meets the disk: log queries, metric queries and tails.
//!
//! A log query takes a [`Snapshot`](crate::store::Snapshot) of the streams its selector matches and works on that
//! without a lock, on scoped threads that end with it. Pieces of streams are searched nearest in time first:
//! the literals that a line must hold are looked for in the whole text of a piece at once (`grep`), the
//! pipeline runs only on lines that hold them, and the best entries are kept until no other piece can
//! improve them (`merge`). What is left is grouped into the streams of the answer (`group`).
//!
//! A metric query reads the pieces of its windows of time in the same way, and keeps numbers only (`metric`).

mod cancel;
mod clock;
mod crew;
mod delete;
mod detect;
mod error;
mod grep;
mod group;
mod limits;
mod merge;
mod metric;
mod patterns;
mod result_labels;
mod search;
mod select;
mod stats;
mod tail;
#[cfg(test)]
mod testing;
mod volume;
mod worker;

pub use cancel::Cancel;
pub use clock::clock;
pub use delete::delete;
pub use detect::{Field, FieldType, Fields, FieldsQuery, detect_fields};
pub use error::Error;
pub use group::{Categories, LogAnswer, ResultEntry, ResultStream};
pub use limits::Limits;
pub use metric::{Grid, MetricAnswer, MetricQuery, MetricValue, Sample, Series, Times, measure};
pub use patterns::{Pattern, PatternsQuery, patterns};
pub use result_labels::ResultLabels;
pub use select::{Direction, LogQuery, select};
pub use stats::Statistics;
pub use tail::{Frame, Tail, TailQuery};
pub use volume::{Extent, Volume, VolumeBy, VolumeQuery, extent, volumes};
