//! Rows of accounts, sessions and keys. Layer: adapter.

use botfleet_actors::domain::operators::{Grants, Operator, OperatorKey, OperatorSession};

use super::part::columns;

columns!(Grants { role, reach, reads_texts });

columns!(Operator { id, name, profile, grants, password, seed, disabled_at, created_at, version });

columns!(OperatorSession { id, handle, operator, created_at, seen_at, confirmed_at, address, agent });

columns!(OperatorKey {
    id,
    operator,
    name,
    secret,
    grants,
    networks,
    created_at,
    expires_at,
    used_at,
    old_secret,
    old_until
});
