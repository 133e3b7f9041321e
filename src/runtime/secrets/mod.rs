//! Secrets that were given by API, as a node uses them. Layer `runtime`. Keeps I10, I12.
//!
//! | file | holds |
//! |---|---|
//! | `keyring` | the keys of this node: where they lie, and the file that the first secret makes |
//! | `book` | the stored secrets: looked up, opened, given, removed |
//! | `keeper` | follows the changes of others, and tells them to bots and providers |
//! | `providers` | the providers in force, each with the key that counts |
//! | `rotation` | wraps all secrets anew, retires keys, gives up what is lost |
//! | `view` | the views for operators |

pub mod book;
pub(super) mod keeper;
mod keyring;
pub(super) mod providers;
pub mod rotation;
pub mod view;
