//! Header names and the typed views of header values.

mod media_type;
mod name;
mod name_addr;
mod params;
mod via;

pub use media_type::MediaType;
pub use name::HeaderName;
pub use name_addr::{NameAddr, NameAddrRef};
pub use params::{Param, Params};
pub use via::Via;

pub(crate) use name_addr::{quote, seconds};
pub(crate) use params::{unescape, unquoted};
