//! Any other server with the same API: nothing is assumed. Layer `adapters`.

use crate::llm::vendor::facts::{COMMON, Vendor};

pub(super) const VENDOR: Vendor = Vendor { needs_key: false, reasoning_in_text: true, ..COMMON };
