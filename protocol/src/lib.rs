//! What Hearsay's programs agree on: wire types and pure rules, without I/O.
//!
//! Three conversations share these types: peers with the coordinator (`openapi.yaml`), a requester with a
//! target over the peer stream, and peerctl with its daemon over the control API. Requests are read
//! strictly, responses and events leniently (an unknown field or event is passed over), so that versions
//! can meet.
//!
//! Whatever decides is here as a function or a value that is given its input and keeps no clock: the match
//! rule ([`search`]), the file identity ([`root`]), byte ranges ([`byte_range`]), usernames and file names.

pub mod byte_range;
pub mod byte_size;
pub mod conflict;
pub mod control;
pub mod event;
mod fold;
pub mod folder;
pub mod folder_content;
mod hex_bytes;
pub mod id;
pub mod introduction;
pub mod limits;
pub mod link;
pub mod match_rule;
mod merkle;
pub mod paths;
pub mod problem;
pub mod profile;
mod redacted;
pub mod root;
pub mod safe_name;
pub mod search;
pub mod session;
pub mod username;
mod version;

pub use conflict::Conflict;
pub use event::{Event, EventBatch};
pub use folder::FolderSummary;
pub use folder_content::FolderContent;
pub use id::{CertificateSha256, IntroductionId, MessageKey, ReplyKey, SearchId, SessionToken};
pub use problem::{Code, Problem};
pub use profile::Profile;
pub use root::{FileId, Root};
pub use safe_name::SafeName;
pub use username::Username;
pub use version::{Mismatch, VERSION};
