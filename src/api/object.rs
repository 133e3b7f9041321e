//! Objects within a body. Layer `api`.

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error};
use serde_json::{Map, Value};

/// Reads an object or null, for `deserialize_with`. A list of an object's values, which serde reads as well, is refused.
///
/// # Errors
/// Another value, or an object that is not as the type asks.
pub(super) fn object<'de, D: Deserializer<'de>, T: DeserializeOwned>(reader: D) -> Result<Option<T>, D::Error> {
    let members: Option<Map<String, Value>> = Option::deserialize(reader)?;
    members.map(|members| T::deserialize(Value::Object(members))).transpose().map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use crate::api::users::{UserPatch, Within};

    #[test]
    fn a_list_is_no_object() {
        let read =
            |text: &str| serde_json::from_str::<UserPatch>(text).map(|patch| patch.grants.map(|grants| grants.within));
        let within = Within { bots: vec!["Ada".to_owned()], chats: Vec::new() };
        let fit = read(r#"{"grants":{"role":"viewer","within":{"bots":["Ada"]}}}"#);
        assert_eq!(fit.ok(), Some(Some(Some(within))));
        assert!(read(r#"{"grants":null}"#).is_ok_and(|grants| grants.is_none()) && read("{}").is_ok());
        for odd in
            [r#"{"grants":["viewer"]}"#, r#"{"grants":{"role":"viewer","within":[["Ada"],[]]}}"#, r#"{"profile":[]}"#]
        {
            assert!(read(odd).is_err(), "{odd}");
        }
        let unknown = read(r#"{"grants":{"role":"viewer","colour":"red"}}"#);
        assert!(unknown.is_err_and(|error| error.to_string().contains("colour")));
    }
}
