//! Vault: reads secrets of version 2 from HashiCorp Vault and OpenBao, by reqwest. Layer: adapter. Keeps I12.
//!
//! | file | holds |
//! |---|---|
//! | `client` | the client: signs in, renews its token, reads a secret |

pub mod client;
