//! Rows of sealed secrets, of the keys that seal them, and of the keys of each node. Layer: adapter. Keeps I12.

use botfleet_actors::domain::secret::{SecretKey, SecretNode, StoredSecret};

use super::part::columns;

columns!(StoredSecret { kind, owner, destination, state, key, wrapped, sealed, version, number, set_at, set_by });

columns!(SecretKey { id, proof, made_at, retired_at });

columns!(SecretNode { node, sealing, opening, at });
