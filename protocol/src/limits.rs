//! Limits that both ends of a conversation rely on, each with its reason. What only an operator needs is in
//! the coordinator's configuration.

use std::time::Duration;

/// A request body at the coordinator: an answer of 100 matches or a seal of 1,000 files fits.
pub const BODY_BYTES_MAX: usize = 128 * 1024;
/// Matches in one answer: more tell a searcher nothing that a better query would not.
pub const MATCHES_PER_ANSWER_MAX: usize = 100;
/// Characters of a query, before folding.
pub const QUERY_CHARS_MAX: usize = 128;
/// Bytes of a file name: what common file systems hold.
pub const NAME_BYTES_MAX: usize = 255;
/// Files in one introduction: its seal still fits a request body.
pub const FILES_PER_INTRODUCTION_MAX: usize = 1_000;
/// Files in a folder that is offered as a whole: an album, a season, a photo archive of years; more are several folders.
pub const FOLDER_FILES_MAX: usize = 10_000;
/// Folders within folders, the file's own name counted: deeper trees are made by programs.
pub const FOLDER_DEPTH_MAX: usize = 32;
/// Bytes of all files of a folder together: as of one file, a sum that is exact everywhere.
pub const FOLDER_BYTES_MAX: u64 = FILE_SIZE_MAX;
/// Bytes of a folder's listing: 10,000 files with paths of some 280 bytes. It is held in memory as it is read.
pub const LISTING_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Bytes of the small files of a folder that are asked for at once: far more than a request costs, and little enough for a
/// target to have in memory.
pub const FOLDER_RUN_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// The number of these files: a disk that turns finds them in some seconds, of which a stream has 30 without a byte.
pub const FOLDER_RUN_FILES_MAX: usize = 256;
/// A file's size: what a JSON number carries exactly everywhere (2^53 - 1).
pub const FILE_SIZE_MAX: u64 = (1 << 53) - 1;
/// A seal's plain text is padded to a multiple of this, so that its length tells little.
pub const SEAL_PADDING_STEP: usize = 4 * 1024;
/// Ports below are services' own: a dial there could reach something that never asked for it.
pub const PORT_MIN: u16 = 1024;
/// A parked poll is answered after this long unless the caller names another wait; proxies cut at 60 s.
pub const WAIT_DEFAULT: Duration = Duration::from_secs(25);
/// The longest wait a caller may name: below the 60 s at which proxies give up.
pub const WAIT_MAX: Duration = Duration::from_secs(55);

/// Time for the target's word on an introduction; without one the source counts as gone.
pub const INTRODUCTION_WORD: Duration = Duration::from_secs(10);
/// Peers that a draining coordinator sends away come back within this long, spread, so that they don't come all at
/// once. An operator may choose another time; whoever has just come back takes this one for the others.
pub const RETURN_SPREAD: Duration = Duration::from_secs(10);
/// Time for a TCP connection to the other peer.
pub const DIAL_CONNECT: Duration = Duration::from_secs(5);
/// Time, on a fresh peer connection, until its first bytes have come and its handshake is done.
pub const DIAL_FIRST_BYTES: Duration = Duration::from_secs(5);
/// How long the slot is held for each way of reaching the other peer.
pub const ROUTE_HOLD: Duration = Duration::from_secs(15);
/// A stream without a request or a byte for this long ends.
pub const STREAM_IDLE: Duration = Duration::from_secs(30);
/// A waiting requester sends its introduction again this often, which keeps its place.
pub const PLACE_RENEWAL: Duration = Duration::from_secs(45);
/// A place in the upload queue is kept this long after the introduction was last sent.
pub const PLACE_LIFETIME: Duration = Duration::from_mins(3);
