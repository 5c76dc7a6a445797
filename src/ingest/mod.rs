//! What makes an entry storable, the same for pushed and for followed lines. A [`StreamBuilder`]
//! takes the entries of one stream: it derives `service_name`, checks labels and entries against
//! the [`Limits`], adds `detected_level` to each entry, and yields what the store appends. What a
//! limit refuses becomes a [`Rejection`] with Loki's sentence for it; it never affects other entries.
//! The two limits that depend on what is stored already are checked by [`admit`].

mod admission;
mod builder;
mod level;
mod limits;
mod metadata;
mod rejection;
mod service_name;

pub use admission::{Stored, admit};
pub use builder::StreamBuilder;
pub use level::Level;
pub use limits::Limits;
pub use metadata::normalized_name;
pub use rejection::{Reason, Rejection, Rejections};
pub use service_name::SERVICE_NAME;
