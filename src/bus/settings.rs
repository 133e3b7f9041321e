//! Settings of Redis. Layer: adapter.

use botfleet_actors::domain::keys::keyed;
use botfleet_actors::domain::keys::rule::key;
use secrecy::SecretString;

keyed! {
    /// Redis. Without its address nodes find their work in the store, up to half a second later; nothing else changes.
    #[derive(Clone, Debug)]
    pub struct RedisSettings {
        /// Address of Redis, without a password, or `env:NAME` or `file:PATH` that holds the address.
        pub url: Option<SecretString> = key(None::<String>).secret().unset("no Redis")
            .example("\"redis://localhost:6379\"").map(|url| url.map(SecretString::from));
        /// Beginning of channels and keys: fleets that share a Redis differ in it.
        pub prefix: String = key("botfleet".to_owned());
    }
}
