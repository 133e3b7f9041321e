//! Outbound: HTTP clients for addresses, by whose word an address is. Layer: adapter. Keeps I12.
//!
//! What a manifest, a settings file or a flag says is the operator's own word: such an address is used as it is written. What
//! comes by API is somebody else's: it is judged before anything is sent, and the connection goes to what was judged. Every
//! client for an address of the configuration takes an [`Origin`](origin::Origin), so that nobody can forget to say whose word
//! the address is.
//!
//! | file | holds |
//! |---|---|
//! | `origin` | whose word an address is, and the client for it |
//! | `guard` | the rules for the addresses of others, and their resolution |
//! | `special` | the addresses that belong to no public host |

pub mod guard;
pub mod origin;
pub mod special;
